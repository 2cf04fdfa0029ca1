import type * as tf from '@tensorflow/tfjs';
import type { KernelContext } from './context.js';
import { swapMatrix } from './convolution.js';
import { convolve } from './convolve.js';

/**
 * a·b with optional transposes, computed by the convolution kernels: the product is a 1×1 convolution whose pixels are the
 * rows of a, and aᵀ·b is the filter gradient of that convolution. The matrices of heads are small, so one thread suffices.
 */
export function matMul(
  context: KernelContext,
  a: tf.Tensor2D,
  b: tf.Tensor2D,
  transposeA: boolean,
  transposeB: boolean,
): tf.Tensor2D {
  const right = transposeB ? swapMatrix(context, b) : b;
  const product = transposeA ? transposedProduct(context, a, right) : plainProduct(context, a, right);
  if (right !== b) right.dispose();
  return product;
}

function plainProduct(context: KernelContext, a: tf.Tensor2D, b: tf.Tensor2D): tf.Tensor2D {
  const [rows, inner] = a.shape;
  const columns = b.shape[1];
  const product = context.heap.allocate<tf.Tensor2D>([rows, columns]);
  const shapes = { inputShape: [1, 1, rows, inner], outputShape: [1, 1, rows, columns] } as const;
  const geometry = { kernelHeight: 1, kernelWidth: 1, stride: 1, padding: 0, isTurned: false };
  convolve(context, { x: a, filter: b, ...shapes, ...geometry }, product);
  return product;
}

/** aᵀ·b */
function transposedProduct(context: KernelContext, a: tf.Tensor2D, b: tf.Tensor2D): tf.Tensor2D {
  const { heap, pool } = context;
  const [inner, rows] = a.shape;
  const columns = b.shape[1];
  const product = heap.allocate<tf.Tensor2D>([rows, columns]);
  const pointers = [a, b, product].map((tensor) => heap.pointer(tensor));
  pool.run('filterGradient', 1, () => [...pointers, 0, 1, 1, inner, rows, 1, inner, columns, 1, 1, 1, 0]);
  return product;
}
