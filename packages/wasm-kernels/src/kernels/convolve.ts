import type { Shape4 } from '@localgrad/kernels';
import type { Tensor } from '@tensorflow/tfjs';
import { type KernelContext, pieces } from './context.js';
import type { ConvolutionProblem, Strides } from './convolution-problem.js';
import { type ImageCopies, imageCopies, runCopies } from './image-copies.js';
import { packedBytesOf, packFilter } from './packed-filter.js';
import { leastImages, winogradConvolve, winogradConvolveInPlace, winogradSide } from './winograd.js';

/** Maximum number of pieces of a batch: enough to balance threads, few enough to be worth a call each. */
const PIECES = 32;
/** Target size of a band: it fits into the L2 cache together with a tile of the filter. */
const BAND_FLOATS = 24_576;

/** The shape arguments of every convolution kernel (assembly/), in order. */
export function sizeArguments(
  [, height, width, inChannels]: Shape4,
  [, outHeight, outWidth, outChannels]: Shape4,
  kernelHeight: number,
  kernelWidth: number,
  { strideHeight, strideWidth, paddingHeight, paddingWidth }: Strides,
): number[] {
  return [
    ...[height, width, inChannels, outHeight, outWidth, outChannels, kernelHeight, kernelWidth],
    ...[strideHeight, strideWidth, paddingHeight, paddingWidth],
  ];
}

/** Convolution into `y`. */
export function convolve(context: KernelContext, problem: ConvolutionProblem, y: Tensor): void {
  const side = winogradSide(problem);
  if (side !== undefined && winogradConvolve(context, problem, side, y)) return;
  directConvolve(context, problem, y);
}

/** Convolution over its own input `problem.x`, at stride 1, whose shape the output has. */
export function convolveInPlace(context: KernelContext, problem: ConvolutionProblem): void {
  const side = winogradSide(problem);
  const copies = imageCopies(problem.inputShape, side === undefined ? 1 : leastImages(problem, side));
  const all = [...new Array(copies.images.count).keys()];
  const failed = side === undefined ? all : winogradConvolveInPlace(context, problem, side, copies, all);
  if (failed.length > 0) directConvolveInPlace(context, problem, copies, failed);
}

/**
 * Convolution by its definition. It is as fast as the backend's XNNPACK on one thread and faster on more, since
 * the backend's threads spin on the cores after each convolution. It does not cache packed filters.
 */
function directConvolve(context: KernelContext, problem: ConvolutionProblem, y: Tensor): void {
  const { heap, pool } = context;
  const { x, inputShape, outputShape, kernelHeight, kernelWidth } = problem;
  const sizes = sizeArguments(inputShape, outputShape, kernelHeight, kernelWidth, problem);
  const packedBytes = packedBytesOf(problem);
  const { band, bandBytes } = bandOf(problem);
  const images = pieces(inputShape[0], PIECES);
  context.scratch(packedBytes + bandBytes * pool.threads, (packed) => {
    const [from, to] = [heap.pointer(x), heap.pointer(y)];
    packFilter(context, problem, packed);
    pool.runEvenly('convolve', images, [from, packed, to, packed + packedBytes], [...sizes, band, bandBytes]);
  });
}

/** `directConvolve` in place, of the pieces `which` of the batch. */
function directConvolveInPlace(
  context: KernelContext,
  problem: ConvolutionProblem,
  { images, bytes }: ImageCopies,
  which: readonly number[],
): void {
  const { heap, pool } = context;
  const { x, inputShape, kernelHeight, kernelWidth, paddingHeight, paddingWidth } = problem;
  const [, height, width, channels] = inputShape;
  const packedBytes = packedBytesOf(problem);
  const { band, bandBytes } = bandOf(problem);
  context.scratch(packedBytes + (bytes + bandBytes) * pool.threads, (packed) => {
    const from = heap.pointer(x);
    packFilter(context, problem, packed);
    runCopies(pool, 'convolveInPlace', which, (piece) => [
      from,
      packed,
      packed + packedBytes,
      ...images.bounds(piece),
      ...[height, width, channels, kernelHeight, kernelWidth, paddingHeight, paddingWidth],
      band,
      bytes,
      bytes + bandBytes,
    ]);
  });
}

/** Output rows of a band, and the bytes of the input rows that it reads, if they are copied. */
function bandOf({ inputShape, outputShape, kernelHeight, strideHeight, paddingWidth }: ConvolutionProblem) {
  const rowFloats = (inputShape[2] + 2 * paddingWidth) * inputShape[3];
  const band = Math.min(
    outputShape[1],
    Math.max(1, Math.floor((BAND_FLOATS / rowFloats - kernelHeight) / strideHeight) + 1),
  );
  return { band, bandBytes: paddingWidth === 0 ? 0 : 4 * rowFloats * ((band - 1) * strideHeight + kernelHeight) };
}
