import * as tf from '@tensorflow/tfjs';
import type { Shape, StockCase } from './stock-case.js';

type Apply = (...inputs: readonly tf.Tensor[]) => tf.Tensor;

const map: Shape = [2, 3, 5, 7];
const rows: Shape = [5, 7];

/** The gradient of each input of an operation that heads, losses or blocks may use, for random cotangents. */
function gradientsOf(operation: string, inputs: readonly Shape[], apply: Apply): StockCase[] {
  return inputs.map((_, which) => ({
    operation: `gradient of ${operation}`,
    label: inputs.length === 1 ? '' : `input ${which + 1}`,
    inputs,
    finite: inputs.map((_, index) => index),
    run: (tensors) => {
      const weighted = (...values: tf.Tensor[]) => {
        const result = apply(...values);
        const size = result.size;
        const weights = tf.tensor(
          Float32Array.from({ length: size }, (_, at) => Math.sin(1 + at)),
          result.shape,
        );
        return tf.sum(tf.mul(result, weights));
      };
      return tf.grads(weighted)([...tensors])[which] as tf.Tensor;
    },
  }));
}

const ofOne: readonly (readonly [string, Shape, Apply])[] = [
  ['relu', map, (x) => tf.relu(x)],
  ['relu6', map, (x) => tf.relu6(x)],
  ['leakyRelu', map, (x) => tf.leakyRelu(x)],
  ['elu', map, (x) => tf.elu(x)],
  ['selu', map, (x) => tf.selu(x)],
  ['sigmoid', map, (x) => tf.sigmoid(x)],
  ['softplus', map, (x) => tf.softplus(x)],
  ['tanh', map, (x) => tf.tanh(x)],
  ['square', map, (x) => tf.square(x)],
  ['sqrt', map, (x) => tf.sqrt(tf.add(tf.square(x), 0.1))],
  ['rsqrt', map, (x) => tf.rsqrt(tf.add(tf.square(x), 0.1))],
  ['exp', map, (x) => tf.exp(x)],
  ['log', map, (x) => tf.log(tf.add(tf.abs(x), 0.1))],
  ['log1p', map, (x) => tf.log1p(tf.abs(x))],
  ['expm1', map, (x) => tf.expm1(x)],
  ['erf', map, (x) => tf.erf(x)],
  ['abs', map, (x) => tf.abs(x)],
  ['reciprocal', map, (x) => tf.reciprocal(tf.add(tf.square(x), 0.1))],
  ['clipByValue', map, (x) => tf.clipByValue(x, -0.5, 0.25)],
  ['sum of rows', rows, (x) => tf.sum(x, 1)],
  ['mean of maps', map, (x) => tf.mean(x, [1, 2])],
  ['max of rows', rows, (x) => tf.max(x, 1)],
  ['min of rows', rows, (x) => tf.min(x, 1)],
  ['prod of rows', rows, (x) => tf.prod(x, 1)],
  ['cumsum', rows, (x) => tf.cumsum(x, 1)],
  ['logSumExp', rows, (x) => tf.logSumExp(x, 1)],
  ['softmax', rows, (x) => tf.softmax(x)],
  ['logSoftmax', rows, (x) => tf.logSoftmax(x)],
  ['variance', map, (x) => tf.moments(x, [0, 1, 2]).variance],
  ['norm of rows', rows, (x) => tf.norm(tf.add(x, 3), 2, 1)],
  ['transpose', map, (x) => tf.transpose(x, [3, 1, 2, 0])],
  ['reverse', map, (x) => tf.reverse(x, [0, 1])],
  [
    'pad',
    rows,
    (x) =>
      tf.pad(
        x,
        [
          [1, 2],
          [0, 1],
        ],
        3,
      ),
  ],
  [
    'mirrorPad',
    rows,
    (x) =>
      tf.mirrorPad(
        x,
        [
          [1, 2],
          [0, 1],
        ],
        'reflect',
      ),
  ],
  ['slice', map, (x) => tf.slice(x, [0, 1, 2, 0], [2, 2, 3, 7])],
  ['tile', [2, 1, 1, 7], (x) => tf.tile(x, [1, 3, 5, 1])],
  ['broadcastTo', [1, 7], (x) => tf.broadcastTo(x, [5, 7])],
  ['gather', rows, (x) => tf.gather(x, tf.tensor1d([4, 0, 4], 'int32'))],
  ['split', rows, (x) => tf.mul(tf.split(x, [3, 4], 1)[0] as tf.Tensor, 2)],
  ['unstack', rows, (x) => tf.unstack(x)[2] as tf.Tensor],
  ['resizeBilinear', [2, 3, 5, 7], (x) => tf.image.resizeBilinear(x as tf.Tensor4D, [7, 8])],
  ['resizeBilinear with corners', [2, 3, 5, 7], (x) => tf.image.resizeBilinear(x as tf.Tensor4D, [7, 8], true)],
  ['resizeNearestNeighbor', [2, 3, 5, 7], (x) => tf.image.resizeNearestNeighbor(x as tf.Tensor4D, [6, 10])],
  ['localResponseNormalization', map, (x) => tf.localResponseNormalization(x as tf.Tensor4D, 2)],
  [
    'batchToSpaceND',
    [4, 3, 5, 7],
    (x) =>
      tf.batchToSpaceND(
        x,
        [2, 2],
        [
          [0, 0],
          [0, 0],
        ],
      ),
  ],
  [
    'spaceToBatchND',
    [2, 4, 6, 7],
    (x) =>
      tf.spaceToBatchND(
        x,
        [2, 2],
        [
          [0, 0],
          [0, 0],
        ],
      ),
  ],
];

const ofMore: readonly (readonly [string, readonly Shape[], Apply])[] = [
  ['add', [map, [7]], (a, b) => tf.add(a, b)],
  ['sub', [[7], map], (a, b) => tf.sub(a, b)],
  ['mul', [map, [3, 1, 7]], (a, b) => tf.mul(a, b)],
  ['div', [map, [7]], (a, b) => tf.div(a, tf.add(tf.square(b), 0.1))],
  ['maximum', [map, map], (a, b) => tf.maximum(a, b)],
  ['minimum', [map, map], (a, b) => tf.minimum(a, b)],
  ['squaredDifference', [map, map], (a, b) => tf.squaredDifference(a, b)],
  ['pow', [map, map], (a, b) => tf.pow(tf.add(tf.abs(a), 0.1), b)],
  ['where', [rows, rows], (a, b) => tf.where(tf.tensor1d([1, 0, 1, 1, 0, 0, 1], 'bool'), a, b)],
  ['prelu', [map, [7]], (x, alpha) => tf.prelu(x, alpha)],
  ['concat', [rows, [5, 1]], (a, b) => tf.concat([a, b as tf.Tensor], 1)],
  ['stack', [rows, rows], (a, b) => tf.stack([a, b as tf.Tensor], 1)],
  [
    'batched matMul',
    [
      [4, 3, 5],
      [4, 5, 2],
    ],
    (a, b) => tf.matMul(a, b),
  ],
  [
    'batchNorm',
    [map, [7], [7], [7], [7]],
    (x, mean, variance, shift, scale) =>
      tf.batchNorm(
        x as tf.Tensor4D,
        mean as tf.Tensor1D,
        tf.add(tf.square(variance as tf.Tensor1D), 0.1) as tf.Tensor1D,
        shift as tf.Tensor1D,
        scale as tf.Tensor1D,
      ),
  ],
  [
    'conv2dTranspose',
    [
      [2, 4, 5, 3],
      [3, 3, 6, 3],
    ],
    (x, w) => tf.conv2dTranspose(x as tf.Tensor4D, w as tf.Tensor4D, [2, 7, 9, 6], 2, 'same'),
  ],
  [
    'separableConv2d',
    [
      [2, 7, 9, 3],
      [3, 3, 3, 2],
      [1, 1, 6, 4],
    ],
    (x, depthwise, pointwise) =>
      tf.separableConv2d(x as tf.Tensor4D, depthwise as tf.Tensor4D, pointwise as tf.Tensor4D, 1, 'same'),
  ],
  ...[false, true].flatMap((transposeA) =>
    [false, true].map(
      (transposeB) =>
        [
          `matMul ${transposeA ? 'aᵀ' : 'a'}·${transposeB ? 'bᵀ' : 'b'}`,
          [transposeA ? [9, 5] : [5, 9], transposeB ? [11, 9] : [9, 11]],
          (a: tf.Tensor, b: tf.Tensor) => tf.matMul(a, b, transposeA, transposeB),
        ] as const,
    ),
  ),
];

export const gradientCases: readonly StockCase[] = [
  ...ofOne.flatMap(([operation, shape, apply]) => gradientsOf(operation, [shape], apply)),
  ...ofMore.flatMap(([operation, shapes, apply]) => gradientsOf(operation, shapes, apply)),
];
