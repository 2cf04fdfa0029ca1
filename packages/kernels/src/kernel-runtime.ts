import type { JsonObject } from '@localgrad/core';
import type { TrainingKernels } from './training-kernels.js';

/** A running backend with training kernels; returned by `startWasm`, `startWebGpu` and `startTensorflow`. */
export interface KernelRuntime {
  /** Name of the TensorFlow.js backend. */
  readonly name: string;
  /** The kernels registered for the backend; `stockKernels` if it cannot run others. */
  readonly kernels: TrainingKernels;
  /** Facts for logs: build, threads, versions, limits. */
  readonly facts: JsonObject;
  /** Undoes everything that the start did. Has no effect when called again. */
  dispose(): void;
}
