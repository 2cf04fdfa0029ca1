import type { StockKernel } from '@localgrad/kernels';
import type * as tf from '@tensorflow/tfjs';
import type { WasmTrainingKernels } from '../kernels/wasm-training-kernels.js';
import { borrowed, type Call, type Stock, stockKernel } from './calls.js';

/**
 * Functions of float32 by the training kernels, four elements at once; the backend's own compute one after the other.
 *
 * @param others kernels for other dtypes; default: the backend's own
 */
export function functionKernels(
  kernels: WasmTrainingKernels | undefined,
  others: Readonly<Record<string, StockKernel>>,
): Record<string, StockKernel> {
  if (kernels === undefined) return {};
  const functions = { Exp: kernels.exp, Erf: kernels.erf };
  return Object.fromEntries(
    Object.entries(functions).map(([name, compute]) => {
      const other = (others[name] as Stock | undefined) ?? stockKernel(name);
      const kernel = (call: Call) => {
        const x = borrowed<tf.Tensor>(call.inputs.x);
        return x.dtype === 'float32' ? compute(x) : other(call);
      };
      return [name, kernel as StockKernel];
    }),
  );
}
