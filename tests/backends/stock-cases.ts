import { drawValues, type ValueKind } from '@localgrad/testing';
import * as tf from '@tensorflow/tfjs';
import { gradientCases } from './gradient-cases.js';
import { row, type Shape, type StockCase } from './stock-case.js';
import { windowCases } from './window-cases.js';

export const valueKinds: readonly ValueKind[] = ['normal', 'negative', 'zero', 'tied', 'nonFinite'];

const map: Shape = [2, 3, 5, 7];

/** NaN where any argument is. */
const strict =
  (compute: (...values: number[]) => number) =>
  (...values: number[]) =>
    values.some(Number.isNaN) ? Number.NaN : compute(...values);

const one = (value: boolean) => (value ? 1 : 0);

const unary: readonly [string, (x: tf.Tensor) => tf.Tensor, (x: number) => number][] = [
  ['relu', tf.relu, strict((x) => Math.max(x, 0))],
  ['step', tf.step, strict((x) => one(x > 0))],
  ['sigmoid', tf.sigmoid, (x) => 1 / (1 + Math.exp(-x))],
  ['softplus', tf.softplus, (x) => (x > 30 ? x : Math.log1p(Math.exp(x)))],
  ['neg', tf.neg, (x) => -x],
  ['square', tf.square, (x) => x * x],
  ['sqrt', tf.sqrt, Math.sqrt],
  ['rsqrt', tf.rsqrt, (x) => 1 / Math.sqrt(x)],
  ['relu6', tf.relu6, strict((x) => Math.min(Math.max(x, 0), 6))],
  ['leakyRelu', tf.leakyRelu, (x) => (x < 0 ? 0.2 * x : x)],
  ['elu', tf.elu, (x) => (x < 0 ? Math.expm1(x) : x)],
  ['selu', tf.selu, (x) => 1.0507009873554805 * (x < 0 ? 1.6732632423543772 * Math.expm1(x) : x)],
  ['tanh', tf.tanh, Math.tanh],
  ['clipByValue', (x) => tf.clipByValue(x, -0.5, 0.25), strict((x) => Math.min(Math.max(x, -0.5), 0.25))],
  ['abs', tf.abs, Math.abs],
  ['exp', tf.exp, Math.exp],
  ['log', tf.log, Math.log],
  ['isNaN', tf.isNaN, (x) => one(Number.isNaN(x))],
];

const binary: readonly [string, (a: tf.Tensor, b: tf.Tensor) => tf.Tensor, (a: number, b: number) => number][] = [
  ['add', tf.add, (a, b) => a + b],
  ['sub', tf.sub, (a, b) => a - b],
  ['mul', tf.mul, (a, b) => a * b],
  ['div', tf.div, (a, b) => a / b],
  ['minimum', tf.minimum, strict(Math.min)],
  ['maximum', tf.maximum, strict(Math.max)],
  ['equal', tf.equal, (a, b) => one(a === b)],
  ['greater', tf.greater, (a, b) => one(a > b)],
  ['less', tf.less, (a, b) => one(a < b)],
  ['lessEqual', tf.lessEqual, (a, b) => one(a <= b)],
];

const elementwise: StockCase[] = [
  ...unary.map(
    ([operation, apply, element]): StockCase => ({
      operation,
      label: '',
      inputs: [map],
      element,
      run: ([x]) => apply(x as tf.Tensor),
    }),
  ),
  ...binary.map(
    ([operation, apply, element]): StockCase => ({
      operation,
      label: '',
      inputs: [map, map],
      element,
      run: ([a, b]) => apply(a as tf.Tensor, b as tf.Tensor),
    }),
  ),
  // A NaN that the device computed may have other bits than one that was uploaded.
  ...unary.map(
    ([operation, apply, element]): StockCase => ({
      operation,
      label: 'of a difference',
      inputs: [map],
      element: (x) => element(x - x + x),
      run: ([x]) => apply(tf.add(tf.sub(x as tf.Tensor, x as tf.Tensor), x as tf.Tensor)),
    }),
  ),
  {
    operation: 'where',
    label: '',
    inputs: [map, map, map],
    element: (c, a, b) => (c > 0 ? a : b),
    run: ([c, a, b]) => tf.where(tf.greater(c as tf.Tensor, 0), a as tf.Tensor, b as tf.Tensor),
  },
];

const floats = (x: tf.Tensor) => tf.cast(x, 'float32');

const integers = () => tf.tensor1d([-3, 0, 9], 'int32');

const others: StockCase[] = [
  ...binary.map(([operation, apply]) => row(operation, 'broadcast', [map, [7]], apply)),
  row('sum', 'all', [map], (x) => tf.sum(x)),
  row('sum', 'last axis', [[5, 7]], (x) => tf.sum(x, 1, true)),
  row('sum', 'leading axes', [map], (x) => tf.sum(x, [0, 1, 2])),
  row('mean', 'all', [map], (x) => tf.mean(x)),
  row('mean', 'inner axes', [map], (x) => tf.mean(x, [1, 2])),
  row('max', 'last axis', [[5, 7]], (x) => tf.max(x, 1, true)),
  row('max', 'all', [map], (x) => tf.max(x)),
  row('argMax', 'last axis', [[5, 7]], (x) => floats(tf.argMax(x, 1))),
  row('norm', 'rows', [[5, 7]], (x) => tf.norm(x, 2, 1, true)),
  row('moments', 'mean', [map], (x) => tf.moments(x, [0, 1, 2]).mean),
  row('moments', 'variance', [map], (x) => tf.moments(x, [0, 1, 2]).variance),
  ...[false, true].flatMap((transposeA) =>
    [false, true].map((transposeB) =>
      row(
        'matMul',
        `${transposeA ? 'aᵀ' : 'a'}·${transposeB ? 'bᵀ' : 'b'}`,
        [transposeA ? [9, 5] : [5, 9], transposeB ? [11, 9] : [9, 11]],
        (a, b) => tf.matMul(a, b, transposeA, transposeB),
      ),
    ),
  ),
  row(
    'matMul',
    'one matrix by a batch',
    [
      [3, 5],
      [4, 5, 7],
    ],
    (a, b) => tf.matMul(a, b),
  ),
  row(
    'matMul',
    'one transposed matrix by a batch',
    [
      [5, 3],
      [4, 5, 7],
    ],
    (a, b) => tf.matMul(a, b, true),
  ),
  // TensorFlow.js joins a product with the operations after it in layers.
  row('fused matMul', 'without inner values', [[3, 0], [0, 4], [4]], (a, b, bias) =>
    tf.fused.matMul({ a: a as tf.Tensor2D, b: b as tf.Tensor2D, bias, activation: 'relu' }),
  ),
  ...(
    [
      [
        [3, 0],
        [0, 4],
      ],
      [
        [0, 3],
        [3, 4],
      ],
      [
        [3, 4],
        [4, 0],
      ],
      [
        [2, 3, 0],
        [1, 0, 4],
      ],
      [
        [0, 2, 3],
        [0, 3, 4],
      ],
    ] as const
  ).map(([a, b]) => row('matMul', `of ${a.join('×')} and ${b.join('×')}`, [[...a], [...b]], (x, y) => tf.matMul(x, y))),
  row('transpose', 'rows and columns', [[5, 7]], (x) => tf.transpose(x)),
  row('transpose', 'batch and channels', [map], (x) => tf.transpose(x, [3, 1, 2, 0])),
  row('reverse', 'rows and columns', [map], (x) => tf.reverse(x, [0, 1])),
  row('pad', 'by zeros', [map], (x) =>
    tf.pad(x, [
      [0, 0],
      [1, 2],
      [0, 1],
      [0, 0],
    ]),
  ),
  row('pad', 'by −∞', [map], (x) =>
    tf.pad(
      x,
      [
        [0, 0],
        [1, 2],
        [0, 1],
        [0, 0],
      ],
      Number.NEGATIVE_INFINITY,
    ),
  ),
  row('slice', '', [map], (x) => tf.slice(x, [0, 1, 2, 0], [2, 2, 3, 7])),
  row('stridedSlice', '', [map], (x) => tf.stridedSlice(x, [0, 0, 1, 0], [2, 3, 5, 7], [1, 2, 3, 1])),
  row('tile', '', [[2, 1, 1, 7]], (x) => tf.tile(x, [1, 3, 5, 1])),
  row(
    'stack',
    '',
    [
      [5, 7],
      [5, 7],
    ],
    (a, b) => tf.stack([a, b]),
  ),
  row(
    'concat',
    '',
    [
      [5, 7],
      [5, 1],
    ],
    (a, b) => tf.concat([a, b], 1),
  ),
  row('addN', '', [map, map, map], (a, b, c) => tf.addN([a, b, c])),
  row('gather', 'rows', [[5, 7]], (x) => tf.gather(x, tf.tensor1d([4, 0, 4], 'int32'))),
  row('clone', '', [map], (x) => tf.clone(x)),
  row('reshape', '', [map], (x) => tf.reshape(x, [6, 35])),
  row('zerosLike', '', [map], (x) => tf.zerosLike(x)),
  row('logSoftmax', '', [[5, 7]], (x) => tf.logSoftmax(x)),
  row('softmax', '', [[5, 7]], (x) => tf.softmax(x)),
  row('softmax', 'more classes than threads', [[2, 3, 67]], (x) => tf.softmax(x)),
  row('logicalAnd', '', [map, map], (a, b) => floats(tf.logicalAnd(tf.greater(a, 0), tf.greater(b, 0)))),
  row('logicalOr', '', [map, map], (a, b) => floats(tf.logicalOr(tf.greater(a, 0), tf.greater(b, 0)))),
  row('logicalNot', '', [map], (a) => floats(tf.logicalNot(tf.greater(a, 0)))),
  row('oneHot', 'labels beyond the classes', [[4]], () => floats(tf.oneHot(tf.tensor1d([0, 3, -1, 9], 'int32'), 4))),
  row('oneHot', 'float32', [[4]], () => tf.oneHot(tf.tensor1d([0, 3, -1, 9], 'int32'), 4, 0.5, -2, 'float32')),
  row('oneHot', 'bool', [[4]], () => floats(tf.oneHot(tf.tensor1d([0, 3, 1, 1], 'int32'), 4, 1, 0, 'bool'))),
  row('exp', 'of integers', [[1]], () => tf.exp(integers())),
  row('relu6', 'of integers', [[1]], () => floats(tf.relu6(integers()))),
  row('sigmoid', 'of integers as float32', [[1]], () => tf.sigmoid(tf.cast(integers(), 'float32'))),
  row('matMul', 'of integers as float32', [[3, 2]], (x) =>
    tf.matMul(tf.cast(tf.reshape(integers(), [1, 3]), 'float32'), x),
  ),
  row('eye', '', [[1]], () => tf.eye(5)),
  row('batchNorm', '', [map, [7], [7], [7]], (x, mean, scale, shift) =>
    tf.batchNorm(x as tf.Tensor4D, mean as tf.Tensor1D, tf.ones([7]), shift as tf.Tensor1D, scale as tf.Tensor1D, 1e-5),
  ),
];

export const stockCases: readonly StockCase[] = [...elementwise, ...others, ...windowCases, ...gradientCases];

/** The case's inputs on the current backend. */
export function drawStockInputs({ operation, label, inputs, finite = [] }: StockCase, kind: ValueKind): tf.Tensor[] {
  return inputs.map((shape, index) => {
    const own = kind === 'nonFinite' && finite.includes(index) ? 'normal' : kind;
    return tf.tensor(drawValues(shape, `${operation} ${label} ${index}`, own, 31 * index), [...shape]);
  });
}
