import { type ConvolutionGeometry, convolutionMeasures, type Shape4 } from '@localgrad/kernels';
import type { Tensor4D } from '@tensorflow/tfjs';
import { type KernelContext, MINIMUM_FOR_THREADS, pieces } from './context.js';
import { sizeArguments } from './convolve.js';

/** Number of partial filter gradients. */
const FILTER_GRADIENT_PIECES = 16;

function imagePieces([batch, height, width, channels]: Shape4, most = 32): ReturnType<typeof pieces> {
  return pieces(batch, batch * height * width * channels < MINIMUM_FOR_THREADS ? 1 : most);
}

export function depthwiseConv2d(
  { heap, pool }: KernelContext,
  x: Tensor4D,
  filter: Tensor4D,
  geometry: ConvolutionGeometry,
): Tensor4D {
  const [kernelHeight, kernelWidth, channels, multiplier] = filter.shape;
  const measures = convolutionMeasures(x.shape, filter.shape, geometry);
  const y = heap.allocate<Tensor4D>([x.shape[0], measures.outHeight, measures.outWidth, channels * multiplier]);
  const sizes = sizeArguments(x.shape, y.shape, kernelHeight, kernelWidth, measures);
  const pointers = [x, filter, y].map((tensor) => heap.pointer(tensor));
  const images = imagePieces(y.shape);
  pool.runEvenly('depthwiseConvolve', images, pointers, sizes);
  return y;
}

export function depthwiseConv2dInputGradient(
  { heap, pool }: KernelContext,
  dy: Tensor4D,
  filter: Tensor4D,
  inputShape: Shape4,
  geometry: ConvolutionGeometry,
): Tensor4D {
  const [kernelHeight, kernelWidth] = filter.shape;
  const dx = heap.allocate<Tensor4D>(inputShape);
  const measures = convolutionMeasures(inputShape, filter.shape, geometry);
  const sizes = sizeArguments(inputShape, dy.shape, kernelHeight, kernelWidth, measures);
  const pointers = [dy, filter, dx].map((tensor) => heap.pointer(tensor));
  const images = imagePieces(dy.shape);
  pool.runEvenly('depthwiseInputGradient', images, pointers, sizes);
  return dx;
}

export function depthwiseConv2dFilterGradient(
  { heap, pool, scratch }: KernelContext,
  x: Tensor4D,
  dy: Tensor4D,
  filterShape: Shape4,
  geometry: ConvolutionGeometry,
): Tensor4D {
  const [kernelHeight, kernelWidth, channels, multiplier] = filterShape;
  const measures = convolutionMeasures(x.shape, filterShape, geometry);
  const sizes = sizeArguments(x.shape, dy.shape, kernelHeight, kernelWidth, measures);
  const size = kernelHeight * kernelWidth * channels * multiplier;
  const images = imagePieces(dy.shape, FILTER_GRADIENT_PIECES);
  const dw = heap.allocate<Tensor4D>(filterShape);
  return scratch(4 * size * images.count, (partial) => {
    const pointers = [x, dy].map((tensor) => heap.pointer(tensor));
    pool.run('depthwiseFilterGradient', images.count, (piece) => [
      ...pointers,
      partial + 4 * size * piece,
      ...images.bounds(piece),
      ...sizes,
    ]);
    const to = heap.pointer(dw);
    pool.run('sumArrays', 1, () => [partial, to, images.count, size, 0, size]);
    return dw;
  });
}
