import type { JsonObject } from '@localgrad/core';
import type { TrainingKernels } from './training-kernels.js';

/** A backend that runs with training kernels: what `startWasm`, `startWebGpu` and `startTensorflow` return. */
export interface KernelRuntime {
  /** Name of the TensorFlow.js backend. */
  readonly name: string;
  /** Registered for the backend; `stockKernels` where it cannot run others. */
  readonly kernels: TrainingKernels;
  /** Facts for logs: build, threads, versions, limits. */
  readonly facts: JsonObject;
  /** Undoes everything that the start did. Has no effect when called again. */
  dispose(): void;
}
