import { getKernel, type KernelConfig, registerKernel, type TensorInfo, unregisterKernel } from '@tensorflow/tfjs';

/** A kernel of TensorFlow.js; the inputs and attributes are those of the operation. */
// biome-ignore lint/suspicious/noExplicitAny: TensorFlow.js types no kernel's inputs and attributes.
export type StockKernel = (call: any) => TensorInfo;

/** Where a replacement says what it replaced, also to other copies of this package in the process. */
const replacement = Symbol.for('localgrad.replacement');

interface Replacement {
  readonly before: KernelConfig | undefined;
  /** Set by its restore, also if it has been replaced again meanwhile: nothing may put it back then. */
  isWithdrawn: boolean;
}

type OwnConfig = KernelConfig & { readonly [replacement]?: Replacement };

/**
 * Replaces kernels that TensorFlow.js registered for a backend, by name. Replacements may be restored in any order.
 *
 * @returns restores the kernels
 */
export function replaceStockKernels(backendName: string, kernels: Readonly<Record<string, StockKernel>>): () => void {
  const replaced = Object.entries(kernels).map(([kernelName, kernelFunc]) => {
    const entry: Replacement = { before: getKernel(kernelName, backendName), isWithdrawn: false };
    if (entry.before !== undefined) unregisterKernel(kernelName, backendName);
    // With the setup of what it replaces and still calls: on a new backend, the stock kernel would otherwise use the old one.
    const own: OwnConfig = { ...entry.before, kernelName, backendName, kernelFunc, [replacement]: entry };
    registerKernel(own);
    return { kernelName, own, entry };
  });
  return () => {
    for (const { kernelName, own, entry } of replaced) {
      entry.isWithdrawn = true;
      if (getKernel(kernelName, backendName) !== own) continue;
      unregisterKernel(kernelName, backendName);
      const before = validBefore(entry);
      if (before !== undefined) registerKernel(before);
    }
  };
}

function validBefore({ before }: Replacement): KernelConfig | undefined {
  const entry = (before as OwnConfig | undefined)?.[replacement];
  return entry?.isWithdrawn === true ? validBefore(entry) : before;
}
