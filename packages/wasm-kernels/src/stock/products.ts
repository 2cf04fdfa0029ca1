import { owned, productShapeOf, type StockKernel, type Transposes } from '@localgrad/kernels';
import * as tf from '@tensorflow/tfjs';
import type { WasmTrainingKernels } from '../kernels/wasm-training-kernels.js';
import { borrowed, type Call, type Stock, stockKernel } from './calls.js';
import { rejectIntegers } from './rejected.js';

/** The products of matrices in the last two axes, by a kernel. */
type Product = (a: tf.Tensor, b: tf.Tensor, transposes: Transposes) => tf.TensorInfo;

/**
 * Products by the training kernels: the backend's own are slow for small matrices, such as those of attention heads, return uninitialized
 * memory if no products are added up, and compute too few matrices if both batches are broadcast.
 */
export function productKernels(
  kernels: Pick<WasmTrainingKernels, 'batchMatMul'> | undefined,
): Readonly<Record<'BatchMatMul', Stock & StockKernel>> {
  const stock = stockKernel('BatchMatMul');
  const byStock = (call: Call): Product => {
    return (a, b, transposes) => stock({ ...call, inputs: { a, b }, attrs: { ...transposes } });
  };
  const byKernels: Product = (a, b, { transposeA, transposeB }) =>
    (kernels as WasmTrainingKernels).batchMatMul(a, b, transposeA, transposeB);
  const batchMatMul = (call: Call): tf.TensorInfo => {
    const [a, b] = [borrowed(call.inputs.a), borrowed(call.inputs.b)];
    rejectIntegers('The matrix product', a, b);
    return multiply(a, b, call.attrs as unknown as Transposes, kernels === undefined ? byStock(call) : byKernels);
  };
  return { BatchMatMul: batchMatMul as Stock & StockKernel };
}

/** Checks the shapes, which `tf.matMul` leaves to the kernel, and broadcasts batches that differ in some axes only. */
function multiply(a: tf.Tensor, b: tf.Tensor, transposes: Transposes, product: Product): tf.TensorInfo {
  const { inner, shape } = productShapeOf(a.shape, b.shape, transposes);
  if (inner === 0 || tf.util.sizeFromShape(shape) === 0) return tf.zeros(shape);
  if (isPaired(a.shape, b.shape)) return product(a, b, transposes);
  const batch = shape.slice(0, -2);
  const broadcast = (x: tf.Tensor) => tf.broadcastTo(x, [...batch, ...x.shape.slice(-2)]);
  return tf.tidy(() => owned(product(broadcast(a), broadcast(b), transposes)));
}

/** Whether all axes before the last two are the same, or one of the two tensors has a single matrix. */
function isPaired(a: readonly number[], b: readonly number[]): boolean {
  const [left, right] = [a.slice(0, -2), b.slice(0, -2)];
  const isSingle = (axes: readonly number[]) => axes.every((length) => length === 1);
  return isSingle(left) || isSingle(right) || tf.util.arraysEqual([...left], [...right]);
}
