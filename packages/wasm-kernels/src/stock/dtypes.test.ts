import * as tf from '@tensorflow/tfjs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startWasm, type WasmRuntime } from '../runtime/start.js';

const dtypes = ['float32', 'int32', 'bool'] as const;
const shapes = [[], [0], [5], [0, 4], [2, 3, 0], [2, 3, 4]];

type Operation = (x: tf.Tensor) => tf.Tensor;

/** Operations of tensors of any dtype and shape. */
const operations: Readonly<Record<string, Operation>> = {
  abs: tf.abs,
  neg: tf.neg,
  round: tf.round,
  selu: tf.selu,
  sign: tf.sign,
  step: tf.step,
  square: tf.square,
  exp: tf.exp,
  leakyRelu: tf.leakyRelu,
  expm1: tf.expm1,
  log1p: tf.log1p,
  reciprocal: tf.reciprocal,
  softplus: tf.softplus,
  isFinite: tf.isFinite,
  isInf: tf.isInf,
  isNaN: tf.isNaN,
  relu: tf.relu,
  relu6: tf.relu6,
  'clipByValue integers': (x) => tf.clipByValue(x, -1, 2),
  'clipByValue fractions': (x) => tf.clipByValue(x, -0.5, 2.5),
  sum: (x) => tf.sum(x),
  mean: (x) => tf.mean(x),
  max: (x) => tf.max(x),
  min: (x) => tf.min(x),
  prod: (x) => tf.prod(x),
  any: (x) => tf.any(tf.cast(x, 'bool')),
  reverse: (x) => tf.reverse(x),
  'cast to float32': (x) => tf.cast(x, 'float32'),
  'cast to int32': (x) => tf.cast(x, 'int32'),
  'cast to bool': (x) => tf.cast(x, 'bool'),
  'cast small and large to bool': (x) => tf.cast(tf.mul(tf.cast(x, 'float32'), 256), 'bool'),
  'where with float32': (x) => tf.where(tf.cast(x, 'bool'), x, tf.onesLike(tf.cast(x, 'float32'))),
  'where with bool': (x) => tf.where(tf.cast(x, 'bool'), tf.zerosLike(tf.cast(x, 'bool')), tf.cast(x, 'bool')),
  'where with int32': (x) => tf.where(tf.cast(x, 'bool'), tf.zerosLike(tf.cast(x, 'int32')), x),
};

/** Operations of tensors with at least one axis. */
const onAxes: Readonly<Record<string, Operation>> = {
  'sum of the last axis': (x) => tf.sum(x, -1, true),
  'mean of the first axis': (x) => tf.mean(x, 0),
  'max of the last axis': (x) => tf.max(x, -1),
  'min of the first axis': (x) => tf.min(x, 0, true),
  'prod of the last axis': (x) => tf.prod(x, -1),
  stridedSlice: (x) =>
    tf.stridedSlice(
      x,
      x.shape.map(() => 0),
      x.shape,
      x.shape.map(() => 2),
    ),
  'gather of the last axis': (x) =>
    tf.gather(x, tf.tensor1d(x.shape.at(-1) === 0 ? [] : [1, 0, 1], 'int32'), x.rank - 1),
  'gather of nothing': (x) => tf.gather(x, tf.tensor1d([], 'int32')),
};

/** Operations that need at least two elements in each row. */
const onRows: Readonly<Record<string, Operation>> = {
  'values of topk': (x) => tf.topk(x, 2).values,
  'indices of topk': (x) => tf.topk(x, 2).indices,
};

const oneHotValues = [
  [1, 0],
  [0, 1],
  [3, -1],
  [0.5, 0.25],
] as const;

function values(shape: number[], dtype: tf.NumericDataType): tf.Tensor {
  const wave = Array.from({ length: tf.util.sizeFromShape(shape) }, (_, index) => 5 * Math.sin(1.7 * index + 1));
  const converted = { float32: (x: number) => x, int32: Math.trunc, bool: (x: number) => Number(x > 0) };
  return tf.tensor(wave.map(converted[dtype as keyof typeof converted]), shape, dtype);
}

interface Row {
  readonly title: string;
  readonly run: () => tf.Tensor;
}

const rows: Row[] = [
  ...dtypes.flatMap((dtype) =>
    shapes.flatMap((shape) =>
      Object.entries({
        ...operations,
        ...(shape.length > 0 ? onAxes : {}),
        ...((shape.at(-1) ?? 0) > 1 ? onRows : {}),
      }).map(([name, operation]) => ({
        title: `${name} of ${dtype} [${shape}]`,
        run: () => operation(values(shape, dtype)),
      })),
    ),
  ),
  ...dtypes.flatMap((dtype) =>
    [[], [0], [3], [2, 2]].flatMap((shape) =>
      oneHotValues.slice(0, dtype === 'bool' ? 2 : undefined).map(([on, off]) => ({
        title: `oneHot of [${shape}] as ${dtype} ${on} and ${off}`,
        run: () => tf.oneHot(tf.abs(values(shape, 'int32')), 4, on, off, dtype),
      })),
    ),
  ),
];

function outcome({ run }: Row) {
  const result = tf.tidy(run);
  const { shape, dtype } = result;
  const numbers = Array.from(result.dataSync(), (value) => Number.parseFloat(Number(value).toPrecision(4)));
  result.dispose();
  return { shape, dtype, numbers };
}

describe('dtypes and empty tensors', () => {
  let expected: ReturnType<typeof outcome>[];
  let runtime: WasmRuntime;
  beforeAll(async () => {
    await tf.setBackend('cpu');
    expected = rows.map(outcome);
    runtime = await startWasm({ threads: 1 });
  });
  afterAll(() => runtime.dispose());

  it('equal the cpu backend, and leave no tensors', () => {
    const before = tf.memory().numTensors;
    const found = rows.map(outcome);
    const titled = (results: typeof found) =>
      Object.fromEntries(rows.map(({ title }, index) => [title, results[index]]));
    expect(titled(found)).toEqual(titled(expected));
    expect(tf.memory().numTensors).toBe(before);
  });

  it('clips large int32 exactly, and by infinite bounds', () => {
    const x = tf.tensor1d([2 ** 24 + 1, -(2 ** 30) - 1], 'int32');
    const clipped = tf.clipByValue(x, Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY);
    expect([...clipped.dataSync()]).toEqual([2 ** 24 + 1, -(2 ** 30) - 1]);
    tf.dispose([x, clipped]);
  });

  it('all of nothing is true', () => {
    const all = tf.tidy(() => tf.all(tf.tensor1d([], 'bool')));
    expect([...all.dataSync()]).toEqual([1]);
    all.dispose();
  });
});
