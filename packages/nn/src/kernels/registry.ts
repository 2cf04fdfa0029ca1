import { getBackend } from '@tensorflow/tfjs';
import { stockKernels } from './stock-kernels.js';
import type { TrainingKernels } from './training-kernels.js';

const registry = new Map<string, TrainingKernels>();

/** Says which kernels blocks use while `backendName` is TensorFlow.js's current backend. Replaces earlier ones. */
export function registerTrainingKernels(backendName: string, kernels: TrainingKernels): void {
  registry.set(backendName, kernels);
}

/** Forgets the kernels of one backend, or of all: what is left is `stockKernels`. */
export function resetTrainingKernels(backendName?: string): void {
  if (backendName === undefined) registry.clear();
  else registry.delete(backendName);
}

/** The kernels of TensorFlow.js's current backend. */
export function currentKernels(): TrainingKernels {
  return registry.get(getBackend()) ?? stockKernels;
}
