import * as tf from '@tensorflow/tfjs';
import { bothAxes } from './convolution-measures.js';
import { binaryCrossEntropy } from './stock/binary-cross-entropy.js';
import {
  depthwiseConv2d,
  depthwiseConv2dFilterGradient,
  depthwiseConv2dInputGradient,
} from './stock/depthwise-convolution.js';
import { filterGradientByLoops } from './stock/filter-gradient-loops.js';
import { groupNorm, groupNormGradient } from './stock/group-norm.js';
import { groupByGroup } from './stock/grouped-convolution.js';
import { adamUpdateAll, blendAll, sgdUpdateAll } from './stock/optimizers.js';
import { stockPooling } from './stock/pooling.js';
import { moveStatistics } from './stock/running-statistics.js';
import { softmaxCrossEntropy } from './stock/softmax-cross-entropy.js';
import type {
  BatchNormGradient,
  BatchNormGradientRequest,
  BatchStatistics,
  ConvolutionGeometry,
  MovedStatistics,
  Normalization,
  RunningStatistics,
  Shape4,
  TrainingKernels,
} from './training-kernels.js';

/**
 * The reference: every operation composed from stock TensorFlow.js operations, for every backend. It needs more temporaries
 * than dedicated kernels; ownership of arguments and results is the same.
 */
export const stockKernels: TrainingKernels = {
  name: 'stock',
  conv2d,
  conv2dInputGradient,
  conv2dFilterGradient,
  ...groupByGroup({ conv2d, conv2dInputGradient, conv2dFilterGradient }),
  depthwiseConv2d,
  depthwiseConv2dInputGradient,
  depthwiseConv2dFilterGradient,
  batchStatistics,
  batchNormApply,
  batchNormGradient,
  groupNorm,
  groupNormGradient,
  accumulate<T extends tf.Tensor>(a: T, b: T): T {
    const sum = tf.add<T>(a, b);
    a.dispose();
    return sum;
  },
  matMul: (a, b, transposeA, transposeB) => tf.matMul(a, b, transposeA, transposeB),
  mapAxis: (x, map, transposed) =>
    tf.tidy(() => tf.matMul<tf.Tensor3D>(tf.tensor2d(map.map((line) => [...line])), x, transposed, false)),
  reluGradient,
  globalAveragePool: (x) => tf.mean<tf.Tensor2D>(x, [1, 2]),
  globalAveragePoolGradient: (dy, [batch, height, width, channels]) =>
    tf.tidy(() => {
      const share = tf.reshape(tf.div(dy, height * width), [batch, 1, 1, channels]);
      return tf.tile<tf.Tensor4D>(share as tf.Tensor4D, [1, height, width, 1]);
    }),
  ...stockPooling,
  softmaxCrossEntropy,
  binaryCrossEntropy,
  sgdUpdateAll,
  adamUpdateAll,
  blendAll,
};

function conv2d(x: tf.Tensor4D, filter: tf.Tensor4D, geometry: ConvolutionGeometry): tf.Tensor4D {
  const { strides, pad } = stockGeometry(filter.shape, geometry);
  return tf.conv2d(x, filter, strides, pad);
}

/** The transposed convolution is the input gradient: one kernel, with a public name. */
function conv2dInputGradient(
  dy: tf.Tensor4D,
  filter: tf.Tensor4D,
  [batch, height, width, channels]: Shape4,
  geometry: ConvolutionGeometry,
  added?: tf.Tensor4D,
): tf.Tensor4D {
  const { strides, pad } = stockGeometry(filter.shape, geometry);
  const dx = tf.conv2dTranspose(dy, filter, [batch, height, width, channels], strides, pad);
  if (added === undefined) return dx;
  const sum = tf.add<tf.Tensor4D>(dx, added);
  dx.dispose();
  return sum;
}

function conv2dFilterGradient(x: tf.Tensor4D, dy: tf.Tensor4D, filterShape: Shape4, geometry: ConvolutionGeometry) {
  const backend = tf.getBackend();
  if (backend === 'cpu') return filterGradientByLoops(x, dy, filterShape, geometry);
  if (tf.getKernel('Conv2DBackpropFilter', backend) === undefined) {
    return composedFilterGradient(x, dy, filterShape, geometry);
  }
  return tf
    .engine()
    .runKernel(
      'Conv2DBackpropFilter',
      { x, dy },
      { ...stockGeometry(filterShape, geometry), dataFormat: 'NHWC', filterShape: [...filterShape] },
    ) as tf.Tensor4D;
}

interface StockGeometry {
  readonly strides: [number, number];
  readonly pad: number | tf.backend_util.ExplicitPadding;
}

/** With padding as a number, TensorFlow.js computes the width of the output from the height of filter and stride. */
function stockGeometry([kernelHeight, kernelWidth]: Shape4, { stride, padding }: ConvolutionGeometry): StockGeometry {
  const [down, right] = bothAxes(stride);
  const [vertical, horizontal] = bothAxes(padding);
  const isSquare = kernelHeight === kernelWidth && down === right && vertical === horizontal;
  const borders: tf.backend_util.ExplicitPadding = [
    [0, 0],
    [vertical, vertical],
    [horizontal, horizontal],
    [0, 0],
  ];
  return { strides: [down, right], pad: isSquare ? vertical : borders };
}

/** For backends without the kernel (wasm): one matrix product per tap of the filter. */
export function composedFilterGradient(
  x: tf.Tensor4D,
  dy: tf.Tensor4D,
  filterShape: Shape4,
  { stride, padding }: ConvolutionGeometry,
): tf.Tensor4D {
  return tf.tidy(() => {
    const [rows, columns, inputs, outputs] = filterShape;
    const [batch, outHeight, outWidth] = dy.shape;
    const [down, right] = bothAxes(stride);
    const [vertical, horizontal] = bothAxes(padding);
    const padded = tf.pad(x, [
      [0, 0],
      [vertical, vertical],
      [horizontal, horizontal],
      [0, 0],
    ]);
    const cotangent = tf.reshape<tf.Rank.R2>(dy, [-1, outputs]);
    const taps: tf.Tensor2D[] = [];
    for (let row = 0; row < rows; row++) {
      for (let column = 0; column < columns; column++) {
        const end = [batch, row + (outHeight - 1) * down + 1, column + (outWidth - 1) * right + 1, inputs];
        const seen = tf.stridedSlice(padded, [0, row, column, 0], end, [1, down, right, 1]);
        taps.push(tf.matMul(tf.reshape<tf.Rank.R2>(seen, [-1, inputs]), cotangent, true, false));
      }
    }
    return tf.reshape<tf.Rank.R4>(tf.stack(taps), [...filterShape]);
  });
}

function batchStatistics(x: tf.Tensor4D, running?: RunningStatistics): MovedStatistics {
  const { mean, variance } = tf.moments(x, [0, 1, 2]);
  const statistics: BatchStatistics = { mean: mean as tf.Tensor1D, variance: variance as tf.Tensor1D };
  if (running === undefined) return statistics;
  return { ...statistics, running: moveStatistics(running, statistics, x.size / x.shape[3]) };
}

function batchNormApply(
  x: tf.Tensor4D,
  { mean, variance, epsilon, scale, shift }: Normalization,
  residual: tf.Tensor4D | undefined,
  relu: boolean,
): tf.Tensor4D {
  return tf.tidy(() => {
    let y = tf.batchNorm(x, mean, variance, shift, scale, epsilon) as tf.Tensor4D;
    if (residual !== undefined) {
      const sum = tf.add<tf.Tensor4D>(y, residual);
      y.dispose();
      y = sum;
    }
    return relu ? tf.relu(y) : y;
  });
}

function batchNormGradient(request: BatchNormGradientRequest): BatchNormGradient {
  const { dy, x, normalization, mask, overwriteInput, wantMasked } = request;
  const { mean, variance, epsilon, scale } = normalization;
  const result = tf.tidy(() => {
    const axes = [0, 1, 2];
    const count = x.size / mean.size;
    const masked = mask === 'none' ? tf.clone(dy) : maskByOutput(dy, mask, x, normalization);
    const inverseDeviation = tf.rsqrt(tf.add(variance, epsilon));
    const normalized = tf.mul(tf.sub(x, mean), inverseDeviation);
    const dShift = tf.sum<tf.Tensor1D>(masked, axes);
    const dScale = tf.sum<tf.Tensor1D>(tf.mul(masked, normalized), axes);
    // Mean and variance depend on x too: their two terms project out the constant and the normalized part.
    const through = tf.div(tf.add(dShift, tf.mul(normalized, dScale)), count);
    const dx = tf.mul<tf.Tensor4D>(tf.sub(masked, through), tf.mul(scale, inverseDeviation));
    return wantMasked ? { dx, dScale, dShift, masked } : { dx, dScale, dShift };
  });
  dy.dispose();
  if (overwriteInput) x.dispose();
  return result;
}

function reluGradient(dy: tf.Tensor4D, output: tf.Tensor4D, slope: number): tf.Tensor4D {
  return tf.tidy(() => tf.mul(dy, tf.step(output, slope)));
}

function maskByOutput(
  dy: tf.Tensor4D,
  mask: 'recompute' | tf.Tensor4D,
  x: tf.Tensor4D,
  normalization: Normalization,
): tf.Tensor4D {
  const output = mask === 'recompute' ? batchNormApply(x, normalization, undefined, false) : mask;
  return reluGradient(dy, output, 0);
}
