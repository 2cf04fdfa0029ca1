import type { PoolingGeometry, Shape4 } from '@localgrad/kernels';
import type { Tensor4D } from '@tensorflow/tfjs';
import { type KernelContext, MINIMUM_FOR_THREADS, pieces } from './context.js';

/** The size arguments of the kernels in assembly/pooling.ts. */
function sizes(
  [, height, width, channels]: Shape4,
  [outHeight, outWidth]: readonly [number, number],
  { window, stride, padding }: PoolingGeometry,
): number[] {
  return [height, width, channels, outHeight, outWidth, ...window, ...stride, padding.top, padding.left];
}

function outputSize([, height, width]: Shape4, { window, stride, padding }: PoolingGeometry): [number, number] {
  return [
    Math.floor((height + padding.top + padding.bottom - window[0]) / stride[0]) + 1,
    Math.floor((width + padding.left + padding.right - window[1]) / stride[1]) + 1,
  ];
}

function imagePieces([batch, height, width, channels]: Shape4): ReturnType<typeof pieces> {
  return pieces(batch, batch * height * width * channels < MINIMUM_FOR_THREADS ? 1 : 32);
}

function pool(context: KernelContext, kernel: string, x: Tensor4D, geometry: PoolingGeometry): Tensor4D {
  const size = outputSize(x.shape, geometry);
  const y = context.heap.allocate<Tensor4D>([x.shape[0], ...size, x.shape[3]]);
  const [from, to] = [context.heap.pointer(x), context.heap.pointer(y)];
  const images = imagePieces(x.shape);
  const rest = sizes(x.shape, size, geometry);
  context.pool.runEvenly(kernel, images, [from, to], rest);
  return y;
}

export function maxPool(context: KernelContext, x: Tensor4D, geometry: PoolingGeometry): Tensor4D {
  return pool(context, 'maxPool', x, geometry);
}

export function averagePool(context: KernelContext, x: Tensor4D, geometry: PoolingGeometry): Tensor4D {
  return pool(context, 'averagePool', x, geometry);
}

function poolGradient(
  { heap, pool: threads }: KernelContext,
  kernel: string,
  inputs: readonly Tensor4D[],
  outputSize: readonly [number, number],
  inputShape: Shape4,
  geometry: PoolingGeometry,
): Tensor4D {
  const dx = heap.allocate<Tensor4D>(inputShape);
  const pointers = [...inputs, dx].map((tensor) => heap.pointer(tensor));
  const images = imagePieces(inputShape);
  const rest = sizes(inputShape, outputSize, geometry);
  threads.runEvenly(kernel, images, pointers, rest);
  return dx;
}

export function maxPoolGradient(
  context: KernelContext,
  dy: Tensor4D,
  x: Tensor4D,
  geometry: PoolingGeometry,
): Tensor4D {
  return poolGradient(context, 'maxPoolGradient', [x, dy], [dy.shape[1], dy.shape[2]], x.shape, geometry);
}

export function averagePoolGradient(
  context: KernelContext,
  dy: Tensor4D,
  inputShape: Shape4,
  geometry: PoolingGeometry,
): Tensor4D {
  return poolGradient(context, 'averagePoolGradient', [dy], [dy.shape[1], dy.shape[2]], inputShape, geometry);
}
