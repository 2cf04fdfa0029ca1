import { getKernel, type KernelConfig, registerKernel, type TensorInfo, unregisterKernel } from '@tensorflow/tfjs';

/** A kernel of TensorFlow.js; the inputs and attributes are those of the operation. */
// biome-ignore lint/suspicious/noExplicitAny: TensorFlow.js types no kernel's inputs and attributes.
export type StockKernel = (call: any) => TensorInfo;

/**
 * Replaces kernels that TensorFlow.js registered for a backend, by name.
 *
 * @returns restores the kernels that have not been replaced again meanwhile
 */
export function replaceStockKernels(backendName: string, kernels: Readonly<Record<string, StockKernel>>): () => void {
  const replaced = Object.entries(kernels).map(([kernelName, kernelFunc]) => {
    const before = getKernel(kernelName, backendName);
    if (before !== undefined) unregisterKernel(kernelName, backendName);
    const own: KernelConfig = { kernelName, backendName, kernelFunc };
    registerKernel(own);
    return { kernelName, before, own };
  });
  return () => {
    for (const { kernelName, before, own } of replaced) {
      if (getKernel(kernelName, backendName) !== own) continue;
      unregisterKernel(kernelName, backendName);
      if (before !== undefined) registerKernel(before);
    }
  };
}
