import type { Shape4 } from '@localgrad/kernels';
import type * as tf from '@tensorflow/tfjs';
import { type KernelContext, MINIMUM_FOR_THREADS, pieces } from './context.js';

function elementPieces(size: number): ReturnType<typeof pieces> {
  return pieces(size, size < MINIMUM_FOR_THREADS ? 1 : 16, 64);
}

export function accumulate<T extends tf.Tensor>(context: KernelContext, a: T, b: T): T {
  const { heap, pool } = context;
  const sum = heap.shares(a) ? heap.allocate<T>(a.shape) : a;
  const [left, right, to] = [heap.pointer(a), heap.pointer(b), heap.pointer(sum)];
  const parts = elementPieces(a.size);
  pool.runEvenly('add', parts, [left, right, to]);
  if (sum !== a) a.dispose();
  return sum;
}

/** A function of each element, computed by a kernel with the arguments x, y, start, end and those of the function. */
export function elementwise<T extends tf.Tensor>(
  context: KernelContext,
  kernel: 'clamp' | 'exponential' | 'errorFunction' | 'gelu',
  x: T,
  ...options: readonly number[]
): T {
  const { heap, pool } = context;
  const y = heap.allocate<T>(x.shape);
  const [from, to] = [heap.pointer(x), heap.pointer(y)];
  const parts = elementPieces(x.size);
  pool.runEvenly(kernel, parts, [from, to], options);
  return y;
}

export function reluGradient(context: KernelContext, dy: tf.Tensor4D, output: tf.Tensor4D, slope: number): tf.Tensor4D {
  const { heap, pool } = context;
  const dx = heap.allocate<tf.Tensor4D>(dy.shape);
  const [from, y, to] = [heap.pointer(dy), heap.pointer(output), heap.pointer(dx)];
  const parts = elementPieces(dy.size);
  pool.runEvenly('reluGradient', parts, [from, y, to], [slope]);
  return dx;
}

/** Consumes dy; borrows x. */
export function geluGradient(context: KernelContext, dy: tf.Tensor4D, x: tf.Tensor4D): tf.Tensor4D {
  const { heap, pool } = context;
  const dx = heap.shares(dy) ? heap.allocate<tf.Tensor4D>(dy.shape) : dy;
  const [cotangent, from, to] = [heap.pointer(dy), heap.pointer(x), heap.pointer(dx)];
  const parts = elementPieces(dy.size);
  pool.runEvenly('geluGradient', parts, [cotangent, from, to]);
  if (dx !== dy) dy.dispose();
  return dx;
}

export function globalAveragePool(context: KernelContext, x: tf.Tensor4D): tf.Tensor2D {
  const { heap, pool } = context;
  const [batch, height, width, channels] = x.shape;
  const y = heap.allocate<tf.Tensor2D>([batch, channels]);
  const [from, to] = [heap.pointer(x), heap.pointer(y)];
  const images = pieces(batch, x.size < MINIMUM_FOR_THREADS ? 1 : 16);
  const positions = height * width;
  pool.runEvenly('poolSum', images, [from, to], [positions, channels, 1 / positions]);
  return y;
}

export function globalAveragePoolGradient(context: KernelContext, dy: tf.Tensor2D, inputShape: Shape4): tf.Tensor4D {
  const { heap, pool } = context;
  const [batch, height, width, channels] = inputShape;
  const dx = heap.allocate<tf.Tensor4D>(inputShape);
  const [from, to] = [heap.pointer(dy), heap.pointer(dx)];
  const images = pieces(batch, dx.size < MINIMUM_FOR_THREADS ? 1 : 16);
  const positions = height * width;
  pool.runEvenly('poolSpread', images, [from, to], [positions, channels, 1 / positions]);
  return dx;
}
