import { type ConvolutionGeometry, convolutionMeasures, type Normalization, type Shape4 } from '@localgrad/kernels';
import type * as tf from '@tensorflow/tfjs';
import type { Condition } from '../pool/pool.js';
import { writeAffine } from './batch-norm.js';
import { type KernelContext, MINIMUM_FOR_THREADS, pieces } from './context.js';
import type { Strides } from './convolution-problem.js';
import { convolve, convolveInPlace, sizeArguments } from './convolve.js';
import { accumulate } from './elementwise.js';
import { copyBytesOf } from './image-copies.js';
import { packedBytesOf, packFilter } from './packed-filter.js';
import { winogradFilterGradient, winogradSide } from './winograd.js';

/** Number of partial filter gradients: few enough to need little memory, enough for the threads of a desktop. */
const FILTER_GRADIENT_PIECES = 16;
/** Number of pieces of a batch: enough to balance threads, few enough to be worth a call each. */
const IMAGE_PIECES = 32;

export function conv2d(
  context: KernelContext,
  x: tf.Tensor4D,
  filter: tf.Tensor4D,
  geometry: ConvolutionGeometry,
): tf.Tensor4D {
  const [kernelHeight, kernelWidth, , outChannels] = filter.shape;
  const measures = convolutionMeasures(x.shape, filter.shape, geometry);
  const { outHeight, outWidth, strideHeight, strideWidth, paddingHeight, paddingWidth } = measures;
  const outputShape = [x.shape[0], outHeight, outWidth, outChannels] as const;
  const y = context.heap.allocate<tf.Tensor4D>(outputShape);
  convolve(
    context,
    {
      x,
      filter,
      inputShape: x.shape,
      kernelHeight,
      kernelWidth,
      outputShape,
      strideHeight,
      strideWidth,
      paddingHeight,
      paddingWidth,
      isTurned: false,
    },
    y,
  );
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
  const [kernelHeight, kernelWidth] = filter.shape;
  const measures = convolutionMeasures(inputShape, filter.shape, geometry);
  const { strideHeight, strideWidth } = measures;
  const [top, left] = [kernelHeight - 1 - measures.paddingHeight, kernelWidth - 1 - measures.paddingWidth];
  const dx = context.heap.allocate<tf.Tensor4D>(inputShape);
  if (strideHeight !== 1 || strideWidth !== 1 || top < 0 || left < 0) {
    gatherGradient(context, dy, filter, dx, measures, added);
    return dx;
  }
  convolve(
    context,
    {
      x: dy,
      filter,
      inputShape: dy.shape,
      kernelHeight,
      kernelWidth,
      outputShape: inputShape,
      strideHeight,
      strideWidth,
      paddingHeight: top,
      paddingWidth: left,
      isTurned: true,
    },
    dx,
  );
  return added === undefined ? dx : accumulate(context, dx, added);
}

/** As `conv2dInputGradient`, over dy unless another handle shares it: each piece of the batch is copied to scratch memory first. */
export function conv2dInputGradientInPlace(
  context: KernelContext,
  dy: tf.Tensor4D,
  filter: tf.Tensor4D,
  geometry: ConvolutionGeometry,
  added?: tf.Tensor4D,
): tf.Tensor4D {
  if (context.heap.shares(dy)) {
    const dx = conv2dInputGradient(context, dy, filter, dy.shape, geometry, added);
    dy.dispose();
    return dx;
  }
  const [kernelHeight, kernelWidth] = filter.shape;
  const { paddingHeight, paddingWidth } = convolutionMeasures(dy.shape, filter.shape, geometry);
  convolveInPlace(context, {
    x: dy,
    filter,
    inputShape: dy.shape,
    kernelHeight,
    kernelWidth,
    outputShape: dy.shape,
    strideHeight: 1,
    strideWidth: 1,
    paddingHeight: kernelHeight - 1 - paddingHeight,
    paddingWidth: kernelWidth - 1 - paddingWidth,
    isTurned: true,
  });
  return added === undefined ? dy : accumulate(context, dy, added);
}

/** dx, plus `added` if given. */
function gatherGradient(
  context: KernelContext,
  dy: tf.Tensor4D,
  filter: tf.Tensor4D,
  dx: tf.Tensor4D,
  strides: Strides,
  added: tf.Tensor4D | undefined,
): void {
  const { heap } = context;
  const [kernelHeight, kernelWidth] = filter.shape;
  const sizes = sizeArguments(dx.shape, dy.shape, kernelHeight, kernelWidth, strides);
  const [from, to] = [heap.pointer(dy), heap.pointer(dx)];
  const addend = added === undefined ? 0 : heap.pointer(added);
  const images = pieces(dx.shape[0], IMAGE_PIECES);
  const problem = { filter, kernelHeight, kernelWidth, inputShape: dy.shape, outputShape: dx.shape, isTurned: true };
  context.scratch(packedBytesOf(problem), (packed) => {
    packFilter(context, problem, packed);
    context.pool.runEvenly('inputGradient', images, [from, packed, to, addend], sizes);
  });
}

export function conv2dFilterGradient(
  context: KernelContext,
  x: tf.Tensor4D,
  dy: tf.Tensor4D,
  filterShape: Shape4,
  geometry: ConvolutionGeometry,
): tf.Tensor4D {
  return filterGradient(context, x, dy, filterShape, geometry);
}

/** Activations exist for a few images at a time, in the scratch memory of each thread. */
export function conv2dActivatedFilterGradient(
  context: KernelContext,
  x: tf.Tensor4D,
  normalization: Normalization,
  dy: tf.Tensor4D,
  filterShape: Shape4,
  geometry: ConvolutionGeometry,
): tf.Tensor4D {
  return context.scratch(8 * filterShape[2], (affine) => {
    writeAffine(context, affine, normalization);
    return filterGradient(context, x, dy, filterShape, geometry, affine);
  });
}

/** @param affine where all scales of x, then all shifts lie, if a ReLU of x·scale + shift is convolved instead of x */
function filterGradient(
  context: KernelContext,
  x: tf.Tensor4D,
  dy: tf.Tensor4D,
  filterShape: Shape4,
  geometry: ConvolutionGeometry,
  affine?: number,
): tf.Tensor4D {
  const { heap, pool } = context;
  const [kernelHeight, kernelWidth, inChannels, outChannels] = filterShape;
  const dw = heap.allocate<tf.Tensor4D>(filterShape);
  const measures = convolutionMeasures(x.shape, filterShape, geometry);
  const problem = { inputShape: x.shape, outputShape: dy.shape, kernelHeight, kernelWidth, ...measures };
  const side = winogradSide(problem);
  const sizes = sizeArguments(x.shape, dy.shape, kernelHeight, kernelWidth, measures);
  const size = kernelHeight * kernelWidth * inChannels * outChannels;
  const images = pieces(x.shape[0], FILTER_GRADIENT_PIECES);
  const copyBytes = affine === undefined ? 0 : copyBytesOf(x.shape);
  const byDefinition = {
    bytes: 4 * size * images.count + copyBytes * pool.threads,
    run(partial: number, condition?: Condition) {
      const [from, cotangent, to] = [heap.pointer(x), heap.pointer(dy), heap.pointer(dw)];
      const copies = partial + 4 * size * images.count;
      const argumentsOf = (piece: number) => [
        from,
        ...(affine === undefined ? [] : [affine]),
        cotangent,
        partial + 4 * size * piece,
        ...(affine === undefined ? [] : [copies]),
        ...images.bounds(piece),
        ...sizes,
        ...(affine === undefined ? [] : [copyBytes]),
      ];
      const kernel = affine === undefined ? 'filterGradient' : 'activatedFilterGradient';
      pool.run(kernel, images.count, argumentsOf, condition);
      const parts = pieces(size, size * images.count < MINIMUM_FOR_THREADS ? 1 : 16, 64);
      pool.runEvenly('sumArrays', parts, [partial, to, images.count, size], [], condition);
    },
  };
  if (side === undefined) context.scratch(byDefinition.bytes, byDefinition.run);
  else winogradFilterGradient(context, x, dy, dw, problem, side, byDefinition, affine);
  return dw;
}
