import type { ConvolutionGeometry, Shape4 } from '@localgrad/kernels';
import type * as tf from '@tensorflow/tfjs';
import { type KernelContext, MINIMUM_FOR_THREADS, pieces } from './context.js';
import { convolve, sizeArguments } from './convolve.js';
import { accumulate } from './elementwise.js';
import { suitsWinograd, winogradFilterGradient } from './winograd.js';

/** Number of partial filter gradients: few enough to need little memory, enough for the threads of a desktop. */
const FILTER_GRADIENT_PIECES = 16;
/** Number of pieces of a batch: enough to balance threads, few enough to be worth a call each. */
const IMAGE_PIECES = 32;

export function conv2d(
  context: KernelContext,
  x: tf.Tensor4D,
  filter: tf.Tensor4D,
  { stride, padding }: ConvolutionGeometry,
): tf.Tensor4D {
  const [kernelHeight, kernelWidth, , outChannels] = filter.shape;
  const [batch, height, width] = x.shape;
  const outHeight = Math.floor((height + 2 * padding - kernelHeight) / stride) + 1;
  const outWidth = Math.floor((width + 2 * padding - kernelWidth) / stride) + 1;
  const outputShape = [batch, outHeight, outWidth, outChannels] as const;
  const y = context.heap.allocate<tf.Tensor4D>(outputShape);
  const sizes = { inputShape: x.shape, kernelHeight, kernelWidth, outputShape, stride, padding };
  convolve(context, { x, filter, ...sizes, isTurned: false }, y);
  return y;
}

/**
 * Input gradient dx from dy. At stride 1 it is the convolution of dy with the filter rotated by 180°, its channels swapped;
 * otherwise a kernel gathers for each pixel the taps that reach it, without multiplying zeros.
 */
export function conv2dInputGradient(
  context: KernelContext,
  dy: tf.Tensor4D,
  filter: tf.Tensor4D,
  inputShape: Shape4,
  geometry: ConvolutionGeometry,
  added?: tf.Tensor4D,
): tf.Tensor4D {
  const dx = inputGradient(context, dy, filter, inputShape, geometry);
  return added === undefined ? dx : accumulate(context, dx, added);
}

function inputGradient(
  context: KernelContext,
  dy: tf.Tensor4D,
  filter: tf.Tensor4D,
  inputShape: Shape4,
  { stride, padding }: ConvolutionGeometry,
): tf.Tensor4D {
  const [kernelHeight, kernelWidth] = filter.shape;
  if (stride === 1 && kernelHeight === kernelWidth && padding <= kernelHeight - 1) {
    const dx = context.heap.allocate<tf.Tensor4D>(inputShape);
    const sizes = { inputShape: dy.shape, kernelHeight, kernelWidth, outputShape: inputShape };
    convolve(context, { x: dy, filter, ...sizes, stride: 1, padding: kernelHeight - 1 - padding, isTurned: true }, dx);
    return dx;
  }
  const swapped = swapChannels(context, filter);
  const dx = gatherGradient(context, dy, swapped, inputShape, stride, padding);
  swapped.dispose();
  return dx;
}

function gatherGradient(
  { heap, pool }: KernelContext,
  dy: tf.Tensor4D,
  swapped: tf.Tensor4D,
  inputShape: Shape4,
  stride: number,
  padding: number,
): tf.Tensor4D {
  const [kernelHeight, kernelWidth] = swapped.shape;
  const sizes = sizeArguments(inputShape, dy.shape, kernelHeight, kernelWidth, stride, padding);
  const dx = heap.allocate<tf.Tensor4D>(inputShape);
  const [from, weights, to] = [heap.pointer(dy), heap.pointer(swapped), heap.pointer(dx)];
  const images = pieces(inputShape[0], IMAGE_PIECES);
  pool.run('inputGradient', images.count, (piece) => [from, weights, to, ...images.bounds(piece), ...sizes]);
  return dx;
}

export function conv2dFilterGradient(
  context: KernelContext,
  x: tf.Tensor4D,
  dy: tf.Tensor4D,
  filterShape: Shape4,
  { stride, padding }: ConvolutionGeometry,
): tf.Tensor4D {
  const { heap, pool } = context;
  const [kernelHeight, kernelWidth, inChannels, outChannels] = filterShape;
  const dw = heap.allocate<tf.Tensor4D>(filterShape);
  const problem = { inputShape: x.shape, outputShape: dy.shape, kernelHeight, kernelWidth, stride, padding };
  if (suitsWinograd(problem) && winogradFilterGradient(context, x, dy, dw, problem)) return dw;
  const sizes = sizeArguments(x.shape, dy.shape, kernelHeight, kernelWidth, stride, padding);
  const size = kernelHeight * kernelWidth * inChannels * outChannels;
  const images = pieces(x.shape[0], FILTER_GRADIENT_PIECES);
  return context.scratch(4 * size * images.count, (partial) => {
    const [from, cotangent] = [heap.pointer(x), heap.pointer(dy)];
    pool.run('filterGradient', images.count, (piece) => [
      from,
      cotangent,
      partial + 4 * size * piece,
      ...images.bounds(piece),
      ...sizes,
    ]);
    const to = heap.pointer(dw);
    const parts = pieces(size, size * images.count < MINIMUM_FOR_THREADS ? 1 : 16, 64);
    pool.run('sumArrays', parts.count, (piece) => [partial, to, images.count, size, ...parts.bounds(piece)]);
    return dw;
  });
}

/** [kh, kw, ci, co] → [kh, kw, co, ci]. Filters are small, so plain loops suffice. */
function swapChannels(context: KernelContext, filter: tf.Tensor4D): tf.Tensor4D {
  const [kernelHeight, kernelWidth, inChannels, outChannels] = filter.shape;
  const result = context.heap.allocate<tf.Tensor4D>([kernelHeight, kernelWidth, outChannels, inChannels]);
  const source = context.values(filter);
  const target = context.values(result);
  const taps = kernelHeight * kernelWidth;
  const plane = inChannels * outChannels;
  for (let tap = 0; tap < taps; tap++) {
    swap(source.subarray(tap * plane, (tap + 1) * plane), target, tap * plane, inChannels, outChannels);
  }
  return result;
}

function swap(source: Float32Array, target: Float32Array, start: number, rows: number, columns: number): void {
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      target[start + column * rows + row] = source[row * columns + column] as number;
    }
  }
}
