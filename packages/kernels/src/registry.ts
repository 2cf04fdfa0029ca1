import { LocalgradError } from '@localgrad/core';
import { backend as currentBackend, getBackend } from '@tensorflow/tfjs';
import { stockOperations } from './operations.js';
import { stockKernels } from './stock-kernels.js';
import type { TrainingKernels } from './training-kernels.js';

/** Version of the `TrainingKernels` contract. Increase it with every change that existing kernels or callers break on. */
export const contractVersion = 3;

/** Key on the backend object: a global symbol, so that all copies of this package in a project share the registry. */
const property = Symbol.for('localgrad.kernels');

interface Entry {
  readonly version: number;
  readonly kernels: TrainingKernels;
  /** Listed by the copy that registers the kernels, since each copy has its own stock reference to compare with. */
  readonly stock: readonly string[];
}

interface KernelHolder {
  [property]?: Entry | undefined;
}

/**
 * Registers kernels for one backend instance, by default the current one; blocks then use them.
 *
 * @returns restores the previous registration, unless other kernels have replaced these meanwhile
 * @throws LocalgradError `misuse` if an incompatible copy of this package has registered kernels there
 */
export function registerTrainingKernels(kernels: TrainingKernels, backend: object = currentBackend()): () => void {
  const holder: KernelHolder = backend;
  const before = compatible(holder[property]);
  const entry: Entry = { version: contractVersion, kernels, stock: stockOperations(kernels) };
  holder[property] = entry;
  return () => {
    if (holder[property] === entry) holder[property] = before;
  };
}

/**
 * The kernels registered for the current backend, or `stockKernels`.
 *
 * @throws LocalgradError `misuse` if an incompatible copy of this package has registered kernels there
 */
export function currentKernels(): TrainingKernels {
  return currentEntry()?.kernels ?? stockKernels;
}

export function currentEntry(): Entry | undefined {
  const holder: object & KernelHolder = currentBackend();
  return compatible(holder[property]);
}

function compatible(entry: Entry | undefined): Entry | undefined {
  if (entry === undefined || entry.version === contractVersion) return entry;
  throw new LocalgradError(
    'misuse',
    `The kernels of backend '${getBackend()}' were registered by another version of @localgrad/kernels ` +
      `(contract version ${entry.version}; this copy has ${contractVersion}). Install one version of it: ` +
      '`npm ls @localgrad/kernels` lists the installed copies.',
    { backend: getBackend(), registered: entry.version, supported: contractVersion },
  );
}
