import type { Shape4 } from '@localgrad/kernels';
import type { Tensor } from '@tensorflow/tfjs';
import { type KernelContext, pieces } from './context.js';
import type { ConvolutionProblem, Strides } from './convolution-problem.js';
import { winogradConvolve, winogradSide } from './winograd.js';

/** Maximum number of pieces of a batch: enough to balance threads, few enough to be worth a call each. */
const PIECES = 32;
/** Target size of a band: it fits into the L2 cache together with a tile of the filter. */
const BAND_FLOATS = 24_576;
/** Output channels per tile of a packed filter. */
const LANES = 8;

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

/**
 * Convolution by its definition. It is as fast as the backend's XNNPACK on one thread and faster on more, since
 * the backend's threads spin on the cores after each convolution. It does not cache packed filters.
 */
function directConvolve(context: KernelContext, problem: ConvolutionProblem, y: Tensor): void {
  const { heap, pool } = context;
  const { x, filter, inputShape, outputShape, kernelHeight, kernelWidth, isTurned } = problem;
  const { strideHeight, paddingWidth } = problem;
  const [batch, , width, inChannels] = inputShape;
  const [, outHeight, , outChannels] = outputShape;
  const sizes = sizeArguments(inputShape, outputShape, kernelHeight, kernelWidth, problem);
  const taps = kernelHeight * kernelWidth;
  const packedBytes = 4 * LANES * Math.ceil(outChannels / LANES) * taps * inChannels;
  const rowFloats = (width + 2 * paddingWidth) * inChannels;
  const band = Math.min(
    outHeight,
    Math.max(1, Math.floor((BAND_FLOATS / rowFloats - kernelHeight) / strideHeight) + 1),
  );
  const bandBytes = paddingWidth === 0 ? 0 : 4 * rowFloats * ((band - 1) * strideHeight + kernelHeight);
  const images = pieces(batch, PIECES);
  context.scratch(packedBytes + bandBytes * pool.threads, (packed) => {
    const [from, to, weights] = [heap.pointer(x), heap.pointer(y), heap.pointer(filter)];
    pool.run('packFilter', 1, () => [weights, packed, taps, inChannels, outChannels, isTurned ? 1 : 0]);
    pool.run('convolve', images.count, (piece) => [
      from,
      packed,
      to,
      packed + packedBytes,
      ...images.bounds(piece),
      ...sizes,
      band,
      bandBytes,
    ]);
  });
}
