import type { JsonObject } from '@localgrad/core';

export interface BackendOptions {
  /** Threads, where the backend has them; default `auto`. */
  readonly threads?: number | 'auto';
  /** Fused multiply-adds on wasm: faster, but results differ between processors. Default false. */
  readonly relaxedSimd?: boolean;
}

/** What a backend holds at the moment. */
export interface MemoryInUse {
  readonly bytes: number;
  /** Who tells: not every number counts the same things. */
  readonly method: 'wasm heap' | 'resident memory of the process' | 'buffers on the GPU' | 'nvidia-smi, this process';
}

/** A running backend. */
export interface BackendHandle {
  readonly name: string;
  /** Why this one was taken. */
  readonly reason: string;
  readonly threads: number;
  /** What computes, e.g. the processor's name. */
  readonly device: string;
  /** A real accelerator or processor, or a software emulation of one. */
  readonly hardware: boolean;
  /** Facts for logs: build, SIMD, versions. */
  readonly facts: JsonObject;
  /** Bytes that tensors may still take. */
  availableBytes(): number;
  /** What the runtime itself tells: more than tensors, since it keeps pools and scratch memory. */
  memoryInUse(): Promise<MemoryInUse>;
  dispose(): void;
}

export interface ProbeResult {
  readonly available: boolean;
  /** One sentence: what was found, or what is missing. */
  readonly reason: string;
  readonly device: string;
  readonly hardware: boolean;
  /** What to do when it is not available. */
  readonly howToGetIt?: string;
}

/** What the registry knows of a backend. Adding one is adding a file and a row. */
export interface BackendDescriptor {
  readonly name: string;
  readonly description: string;
  /** `auto` may take it. */
  readonly automatic: boolean;
  /** Looks without starting anything. */
  probe(): Promise<ProbeResult>;
  /** Makes it the current backend of TensorFlow.js and registers its training kernels. */
  start(options: BackendOptions): Promise<Omit<BackendHandle, 'name' | 'reason'>>;
}
