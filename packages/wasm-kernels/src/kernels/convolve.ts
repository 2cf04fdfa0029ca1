import type { Shape4 } from '@localgrad/kernels';
import type { Tensor } from '@tensorflow/tfjs';
import type { Condition } from '../pool/pool.js';
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
  const bytes = directBytes(context, problem);
  const run = (scratch: number, condition?: Condition) => directConvolve(context, problem, y, scratch, condition);
  if (side === undefined) context.scratch(bytes, run);
  else winogradConvolve(context, problem, side, y, { bytes, run });
}

/** Convolution over its own input `problem.x`, at stride 1, whose shape the output has. */
export function convolveInPlace(context: KernelContext, problem: ConvolutionProblem): void {
  const side = winogradSide(problem);
  const copies = imageCopies(problem.inputShape, side === undefined ? 1 : leastImages(problem, side));
  const bytes = directBytes(context, problem) + copies.bytes * context.pool.threads;
  const run = (scratch: number, any?: Condition, ofPiece?: Condition) =>
    directConvolveInPlace(context, problem, copies, scratch, any, ofPiece);
  if (side === undefined) context.scratch(bytes, run);
  else winogradConvolveInPlace(context, problem, side, copies, { bytes, run });
}

/** Scratch memory for a packed filter, and for a band of each thread. */
function directBytes({ pool }: KernelContext, problem: ConvolutionProblem): number {
  return packedBytesOf(problem) + bandOf(problem).bandBytes * pool.threads;
}

/**
 * Convolution by its definition. It is as fast as the backend's XNNPACK on one thread and faster on more, since
 * the backend's threads spin on the cores after each convolution. It does not cache packed filters.
 */
function directConvolve(
  context: KernelContext,
  problem: ConvolutionProblem,
  y: Tensor,
  packed: number,
  condition: Condition | undefined,
): void {
  const { heap, pool } = context;
  const { x, inputShape, outputShape, kernelHeight, kernelWidth } = problem;
  const sizes = sizeArguments(inputShape, outputShape, kernelHeight, kernelWidth, problem);
  const { band, bandBytes } = bandOf(problem);
  const images = pieces(inputShape[0], PIECES);
  packFilter(context, problem, packed, condition);
  const before = [heap.pointer(x), packed, heap.pointer(y), packed + packedBytesOf(problem)];
  pool.runEvenly('convolve', images, before, [...sizes, band, bandBytes], condition);
}

/** `directConvolve` in place, of the pieces of the batch whose condition holds. */
function directConvolveInPlace(
  context: KernelContext,
  problem: ConvolutionProblem,
  { images, bytes }: ImageCopies,
  packed: number,
  any: Condition | undefined,
  ofPiece: Condition | undefined,
): void {
  const { heap, pool } = context;
  const { x, inputShape, kernelHeight, kernelWidth, paddingHeight, paddingWidth } = problem;
  const [, height, width, channels] = inputShape;
  const { band, bandBytes } = bandOf(problem);
  const from = heap.pointer(x);
  const scratch = packed + packedBytesOf(problem);
  packFilter(context, problem, packed, any);
  const argumentsOf = (piece: number) => [
    from,
    packed,
    scratch,
    ...images.bounds(piece),
    ...[height, width, channels, kernelHeight, kernelWidth, paddingHeight, paddingWidth],
    band,
    bytes,
    bytes + bandBytes,
  ];
  runCopies(pool, 'convolveInPlace', images.count, argumentsOf, ofPiece);
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
