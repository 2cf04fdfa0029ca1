import type { TrainingKernels } from '@localgrad/kernels';

/**
 * Training kernels on the heap of the wasm backend, for any shape. Buffers that other handles share are never written to.
 *
 * Results do not depend on the number of threads: sums are formed over fixed pieces in a fixed order.
 */
export interface WasmTrainingKernels extends TrainingKernels {
  readonly name: 'wasm-simd';
  readonly threads: number;
  /** Stops the threads. */
  dispose(): void;
}
