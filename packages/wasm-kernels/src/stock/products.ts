import type { StockKernel } from '@localgrad/kernels';
import * as tf from '@tensorflow/tfjs';
import type { WasmTrainingKernels } from '../kernels/wasm-training-kernels.js';
import { borrowed, type Call, fromStock, type Stock } from './calls.js';

/** Products by the training kernels: the backend's own are slow for small matrices, such as those of attention heads. */
export function productKernels(kernels: WasmTrainingKernels | undefined): Record<string, StockKernel> {
  return kernels === undefined ? {} : fromStock(['BatchMatMul'], (stock) => batchMatMul(stock, kernels));
}

function batchMatMul(stock: Stock, kernels: WasmTrainingKernels): (call: Call) => tf.TensorInfo {
  return (call) => {
    const [a, b] = [borrowed(call.inputs.a), borrowed(call.inputs.b)];
    const { transposeA, transposeB } = call.attrs as Readonly<{ transposeA: boolean; transposeB: boolean }>;
    const isOurs = [a, b].every((x) => x.dtype === 'float32' && tf.util.sizeFromShape(x.shape) > 0);
    return isOurs && isPaired(a.shape, b.shape) ? kernels.batchMatMul(a, b, transposeA, transposeB) : stock(call);
  };
}

/** Whether all axes before the last two are the same, or one of the two tensors has a single matrix. */
function isPaired(a: readonly number[], b: readonly number[]): boolean {
  const [left, right] = [a.slice(0, -2), b.slice(0, -2)];
  const isSingle = (axes: readonly number[]) => axes.every((length) => length === 1);
  return isSingle(left) || isSingle(right) || tf.util.arraysEqual([...left], [...right]);
}
