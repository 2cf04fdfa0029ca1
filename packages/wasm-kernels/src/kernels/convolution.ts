import * as tf from '@tensorflow/tfjs';
import { type KernelContext, pieces } from './context.js';
import type { ConvolutionGeometry, Shape4 } from './interface.js';

/** Partial filter gradients: few enough to stay small, many enough for the threads of a desktop. */
const FILTER_GRADIENT_PIECES = 16;
const IMAGE_PIECES = 64;

/** XNNPACK's convolution, which sits at the limit of what SIMD without fused multiply-adds can do. */
export function conv2d(x: tf.Tensor4D, filter: tf.Tensor4D, { stride, padding }: ConvolutionGeometry): tf.Tensor4D {
  return tf.conv2d(x, filter, stride, padding);
}

/**
 * dx for a dy. At stride 1 this is XNNPACK's convolution of dy with the filter turned by 180°, its channels swapped;
 * otherwise our own kernel, which multiplies no zeros.
 */
export function conv2dInputGradient(
  context: KernelContext,
  dy: tf.Tensor4D,
  filter: tf.Tensor4D,
  inputShape: Shape4,
  { stride, padding }: ConvolutionGeometry,
): tf.Tensor4D {
  const { heap, pool } = context;
  const [kernelHeight, kernelWidth, inChannels, outChannels] = filter.shape;
  const isTurnable = stride === 1 && kernelHeight === kernelWidth && padding <= kernelHeight - 1;
  const turned = swapChannels(context, filter, isTurnable);
  if (isTurnable) {
    const dx = tf.conv2d(dy, turned, 1, kernelHeight - 1 - padding);
    turned.dispose();
    return dx;
  }
  const [batch, height, width] = inputShape;
  const [, outHeight, outWidth] = dy.shape;
  const dx = heap.allocate<tf.Tensor4D>(inputShape);
  const [from, weights, to] = [heap.pointer(dy), heap.pointer(turned), heap.pointer(dx)];
  const images = pieces(batch, IMAGE_PIECES);
  pool.run('inputGradient', images.count, (piece) => [
    from,
    weights,
    to,
    ...images.bounds(piece),
    height,
    width,
    inChannels,
    outHeight,
    outWidth,
    outChannels,
    kernelHeight,
    kernelWidth,
    stride,
    padding,
  ]);
  turned.dispose();
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
  const [batch, height, width] = x.shape;
  const [, outHeight, outWidth] = dy.shape;
  const size = kernelHeight * kernelWidth * inChannels * outChannels;
  const images = pieces(batch, FILTER_GRADIENT_PIECES);
  const dw = heap.allocate<tf.Tensor4D>(filterShape);
  return context.scratch(4 * size * images.count, (partial) => {
    context.floats(partial, size * images.count).fill(0);
    const [from, cotangent] = [heap.pointer(x), heap.pointer(dy)];
    pool.run('filterGradient', images.count, (piece) => [
      from,
      cotangent,
      partial + 4 * size * piece,
      ...images.bounds(piece),
      height,
      width,
      inChannels,
      outHeight,
      outWidth,
      outChannels,
      kernelHeight,
      kernelWidth,
      stride,
      padding,
    ]);
    const to = heap.pointer(dw);
    context.floats(to, size).set(context.floats(partial, size));
    for (let piece = 1; piece < images.count; piece++) {
      // One thread: a filter is small, and handing the sum out would cost more than adding it.
      pool.run('add', 1, () => [to, partial + 4 * size * piece, to, 0, size]);
    }
    return dw;
  });
}

/** [kh, kw, ci, co] → [kh, kw, co, ci], turned by 180° if asked. Filters are small: plain loops do. */
function swapChannels(context: KernelContext, filter: tf.Tensor4D, isTurned: boolean): tf.Tensor4D {
  const [kernelHeight, kernelWidth, inChannels, outChannels] = filter.shape;
  const result = context.heap.allocate<tf.Tensor4D>([kernelHeight, kernelWidth, outChannels, inChannels]);
  const source = context.values(filter);
  const target = context.values(result);
  const taps = kernelHeight * kernelWidth;
  const plane = inChannels * outChannels;
  for (let tap = 0; tap < taps; tap++) {
    const from = (isTurned ? taps - 1 - tap : tap) * plane;
    for (let ci = 0; ci < inChannels; ci++) {
      for (let co = 0; co < outChannels; co++) {
        target[tap * plane + co * inChannels + ci] = source[from + ci * outChannels + co] as number;
      }
    }
  }
  return result;
}
