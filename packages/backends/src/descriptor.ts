import type { JsonObject } from '@localgrad/core';

export interface BackendOptions {
  /** Number of threads, if the backend supports threads; default `auto`. */
  readonly threads?: number | 'auto';
  /**
   * Fused multiply-adds (relaxed SIMD) on wasm, where the engine supports them: faster, but the last bits of results vary
   * between machines. Default true.
   */
  readonly relaxedSimd?: boolean;
  /** Whether NVIDIA GPUs may round the inputs of products to TF32 (10 bits), on tensorflow-gpu. Default false. */
  readonly tf32?: boolean;
  /**
   * URL of the folder with the .wasm files of `@tensorflow/tfjs-backend-wasm/dist`, for wasm in browsers. Default: where the
   * bundler puts them.
   */
  readonly wasmPaths?: string;
}

/** Memory currently used by a backend. */
export interface MemoryInUse {
  readonly bytes: number;
  /** How the bytes were measured; the methods are not directly comparable. */
  readonly method: 'wasm heap' | 'resident memory of the process' | 'buffers on the GPU' | 'nvidia-smi, this process';
}

/** A running backend. */
export interface BackendHandle {
  readonly name: string;
  /** Why this backend was selected. */
  readonly reason: string;
  readonly threads: number;
  /** Name of the device, e.g. of the processor. */
  readonly device: string;
  /** False for a software emulation of a GPU. */
  readonly hardware: boolean;
  /** Facts for logs: build, SIMD, versions. */
  readonly facts: JsonObject;
  /** Bytes still available for tensors. */
  availableBytes(): number;
  /** Memory used by the runtime, which includes pools and scratch memory besides tensors. */
  memoryInUse(): Promise<MemoryInUse>;
  dispose(): void;
}

export interface ProbeResult {
  readonly available: boolean;
  /** One sentence that states what was found, or what is missing. */
  readonly reason: string;
  readonly device: string;
  readonly hardware: boolean;
  /** How to install it, if it is not available. */
  readonly howToGetIt?: string;
}

/** Registry entry of a backend. To add a backend, add a file and an entry. */
export interface BackendDescriptor {
  readonly name: string;
  readonly description: string;
  /** Whether `auto` may select it. */
  readonly automatic: boolean;
  /** Whether it computes on the processor. Of several that do, `auto` selects the one that a measurement found faster. */
  readonly processor: boolean;
  /** Largest number of threads; default: no limit. */
  readonly mostThreads?: number;
  /** Checks availability without starting the backend. */
  probe(): Promise<ProbeResult>;
  /** Makes it the current backend of TensorFlow.js and registers its training kernels. */
  start(options: BackendOptions): Promise<Omit<BackendHandle, 'name' | 'reason'>>;
}
