import { getBackend } from '@tensorflow/tfjs';
import { operations, stockOperations } from './operations.js';
import { currentEntry } from './registry.js';
import { stockKernels } from './stock-kernels.js';

/** The kernels that the current backend uses. */
export interface KernelDescription {
  /** Name of the TensorFlow.js backend. */
  readonly backend: string;
  /** Name of its kernels: `stock` if none are registered. */
  readonly name: string;
  /** Operations of the contract with dedicated kernels. */
  readonly own: readonly string[];
  /** Operations that come from the stock reference. */
  readonly stock: readonly string[];
}

/** Lists the operations of the current backend by origin; omits optional ones that it lacks. */
export function describeKernels(): KernelDescription {
  const entry = currentEntry();
  const kernels = entry?.kernels ?? stockKernels;
  const stock = entry?.stock ?? stockOperations(stockKernels);
  const own = operations.filter((name) => kernels[name] !== undefined && !stock.includes(name));
  return { backend: getBackend(), name: kernels.name, own, stock };
}
