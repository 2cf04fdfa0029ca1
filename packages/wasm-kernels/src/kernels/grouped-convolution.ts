import { type ConvolutionGeometry, convolutionMeasures, type Shape4 } from '@localgrad/kernels';
import type { Tensor4D } from '@tensorflow/tfjs';
import { type KernelContext, MINIMUM_FOR_THREADS, pieces } from './context.js';
import { sizeArguments } from './convolve.js';

/** Number of pieces of a batch: enough to balance threads, few enough to be worth a call each. */
const IMAGE_PIECES = 32;
/** Number of partial filter gradients. */
const FILTER_GRADIENT_PIECES = 16;

export function groupedConv2d(
  { heap, pool }: KernelContext,
  x: Tensor4D,
  filter: Tensor4D,
  groups: number,
  geometry: ConvolutionGeometry,
): Tensor4D {
  const { outHeight, outWidth } = convolutionMeasures(x.shape, filter.shape, geometry);
  const y = heap.allocate<Tensor4D>([x.shape[0], outHeight, outWidth, filter.shape[3]]);
  const sizes = sizesOf(x.shape, y.shape, filter.shape, groups, geometry);
  const pointers = [x, filter, y].map((tensor) => heap.pointer(tensor));
  const images = imagePieces(y.shape);
  pool.runEvenly('groupedConvolve', images, pointers, sizes);
  return y;
}

export function groupedConv2dInputGradient(
  { heap, pool, scratch }: KernelContext,
  dy: Tensor4D,
  filter: Tensor4D,
  groups: number,
  inputShape: Shape4,
  geometry: ConvolutionGeometry,
): Tensor4D {
  const dx = heap.allocate<Tensor4D>(inputShape);
  const sizes = sizesOf(inputShape, dy.shape, filter.shape, groups, geometry);
  const [kernelHeight, kernelWidth] = filter.shape;
  const images = imagePieces(dy.shape);
  return scratch(4 * filter.size, (turned) => {
    const [cotangent, weights, to] = [dy, filter, dx].map((tensor) => heap.pointer(tensor)) as [number, number, number];
    const turning = [weights, turned, kernelHeight * kernelWidth, inputShape[3], dy.shape[3], groups];
    pool.run('turnGroupedFilter', 1, () => turning);
    const pointers = [cotangent, turned, to];
    pool.runEvenly('groupedInputGradient', images, pointers, sizes);
    return dx;
  });
}

export function groupedConv2dFilterGradient(
  { heap, pool, scratch }: KernelContext,
  x: Tensor4D,
  dy: Tensor4D,
  groups: number,
  filterShape: Shape4,
  geometry: ConvolutionGeometry,
): Tensor4D {
  const sizes = sizesOf(x.shape, dy.shape, filterShape, groups, geometry);
  const size = filterShape.reduce((product, length) => product * length, 1);
  const images = imagePieces(dy.shape, FILTER_GRADIENT_PIECES);
  const dw = heap.allocate<Tensor4D>(filterShape);
  return scratch(4 * size * images.count, (partial) => {
    const pointers = [x, dy].map((tensor) => heap.pointer(tensor));
    pool.run('groupedFilterGradient', images.count, (piece) => [
      ...pointers,
      partial + 4 * size * piece,
      ...images.bounds(piece),
      ...sizes,
    ]);
    const to = heap.pointer(dw);
    const parts = pieces(size, size * images.count < MINIMUM_FOR_THREADS ? 1 : 16, 64);
    pool.runEvenly('sumArrays', parts, [partial, to, images.count, size]);
    return dw;
  });
}

function imagePieces([batch, height, width, channels]: Shape4, most = IMAGE_PIECES): ReturnType<typeof pieces> {
  return pieces(batch, batch * height * width * channels < MINIMUM_FOR_THREADS ? 1 : most);
}

/** The shape arguments of the kernels (assembly/grouped-convolution.ts), in order. */
function sizesOf(x: Shape4, y: Shape4, filter: Shape4, groups: number, geometry: ConvolutionGeometry): number[] {
  const [kernelHeight, kernelWidth] = filter;
  return [...sizeArguments(x, y, kernelHeight, kernelWidth, convolutionMeasures(x, filter, geometry)), groups];
}
