import * as tf from '@tensorflow/tfjs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startWasm, type WasmRuntime } from '../runtime/start.js';

function waves<R extends tf.Rank>(shape: number[], phase = 1): tf.Tensor<R> {
  const size = tf.util.sizeFromShape(shape);
  const tensor: tf.Tensor = tf.tensor(
    Float32Array.from({ length: size }, (_, index) => Math.sin(1.7 * index + phase)),
    shape,
  );
  return tensor as tf.Tensor<R>;
}

const inner = (a: tf.Tensor, b: tf.Tensor) => tf.sum(tf.mul(a, b)).dataSync()[0] as number;

describe('operations of TensorFlow.js at their edges', () => {
  let runtime: WasmRuntime;
  beforeAll(async () => {
    runtime = await startWasm({ threads: 1 });
  });
  afterAll(() => runtime.dispose());

  const results = (compute: () => tf.Tensor[]) => tf.tidy(() => compute().map((tensor) => [...tensor.dataSync()]));
  const memory = () => [tf.memory().numTensors, runtime.heap.usedBytes()];

  it.each(['relu', 'relu6', 'elu', 'leakyrelu', 'sigmoid', 'linear'] as const)(
    'fused convolutions propagate NaN: %s',
    (activation) => {
      const [whole, depthwise] = results(() => {
        const x = tf.tensor4d([Number.NaN, 1], [1, 1, 2, 1]);
        const common = {
          x,
          filter: tf.ones([1, 1, 1, 1]) as tf.Tensor4D,
          strides: 1,
          pad: 'same',
          activation,
        } as const;
        return [tf.fused.conv2d({ ...common, bias: tf.tensor1d([0]) }), tf.fused.depthwiseConv2d(common)];
      });
      expect([whole, depthwise].map((values) => values?.map(Number.isNaN))).toEqual([
        [true, false],
        [true, false],
      ]);
    },
  );

  it('fused convolutions add a bias of one number to all channels', () => {
    const [found] = results(() => [
      tf.fused.conv2d({
        ...{
          x: tf.ones([1, 1, 1, 1]) as tf.Tensor4D,
          filter: tf.tensor4d([-5, 1, 2], [1, 1, 1, 3]),
          strides: 1,
          pad: 'same',
        },
        ...{ bias: tf.tensor1d([1]), activation: 'relu' },
      }),
    ]);
    expect(found).toEqual([0, 2, 3]);
  });

  it('convolutions whose windows are just too large are empty, with gradients of zeros', () => {
    for (const convolve of [tf.conv2d, tf.depthwiseConv2d]) {
      const apply = (x: tf.Tensor, filter: tf.Tensor) =>
        convolve(x as tf.Tensor4D, filter as tf.Tensor4D, 1, 'valid') as tf.Tensor;
      tf.tidy(() => {
        const [x, filter] = [waves([2, 5, 2, 3]), waves([4, 3, 3, 1], 2)];
        expect(apply(x, filter).size).toBe(0);
        const gradients = tf.grads(apply)([x, filter]);
        expect(gradients.map(({ shape }) => shape)).toEqual([x.shape, filter.shape]);
        expect(gradients.every((gradient) => gradient.dataSync().every((value) => value === 0))).toBe(true);
      });
    }
  });

  it('convolutions and pooling of larger windows say so, and leave no memory', () => {
    const before = memory();
    const x = () => waves<tf.Rank.R4>([2, 5, 1, 3]);
    expect(() => tf.tidy(() => tf.conv2d(x(), waves<tf.Rank.R4>([4, 4, 3, 2]), 1, 'valid'))).toThrow(
      'The convolution has windows of 4 × 4 pixels, but its input has only 5 × 1 pixels, padded by 0 rows and 0 columns. ' +
        'Use a smaller filter or dilation, or more padding.',
    );
    expect(() => tf.tidy(() => tf.maxPool(x(), [2, 3], 1, 'valid'))).toThrow(/Pooling has windows of 2 × 3 pixels/);
    expect(memory()).toEqual(before);
  });

  it('the gradients of convolutions with different padding on both sides are adjoint', () => {
    for (const [top, bottom, left, right] of [
      [2, 0, 2, 0],
      [0, 2, 0, 1],
      [3, 1, 0, 2],
      [1, 0, 2, 2],
    ] as const) {
      const pad: tf.backend_util.ExplicitPadding = [
        [0, 0],
        [top, bottom],
        [left, right],
        [0, 0],
      ];
      for (const stride of [1, 2]) {
        tf.tidy(() => {
          const [x, filter] = [waves<tf.Rank.R4>([4, 9, 5, 3]), waves<tf.Rank.R4>([4, 3, 3, 5], 2)];
          const apply = (input: tf.Tensor, weights: tf.Tensor) =>
            tf.conv2d(input as tf.Tensor4D, weights as tf.Tensor4D, stride, pad);
          const output = apply(x, filter);
          const dy = waves(output.shape, 3);
          const [dx, dw] = tf.grads(apply)([x, filter], dy) as [tf.Tensor, tf.Tensor];
          const forward = inner(output, dy);
          expect(inner(x, dx)).toBeCloseTo(forward, 2);
          expect(inner(filter, dw)).toBeCloseTo(forward, 2);
        });
      }
    }
  });

  it('padding with NaN pads with NaN, and later padding with its own value', () => {
    const found = results(() => {
      const x = tf.tensor1d([1, 2]);
      return [Number.NaN, 0, Number.NaN, -1].map((value) => tf.pad(x, [[1, 0]], value));
    });
    const missing = Number.NaN;
    expect(found).toEqual([
      [missing, 1, 2],
      [0, 1, 2],
      [missing, 1, 2],
      [-1, 1, 2],
    ]);
  });

  it('pools windows that lie on padding only, and their gradient changes nothing', () => {
    const before = memory();
    for (const size of [1, 3]) {
      const x = waves<tf.Rank.R4>([2, size, size, 5]);
      const [largest, mean, ofLargest, ofMean] = results(() => {
        const most = (input: tf.Tensor) => tf.maxPool(input as tf.Tensor4D, 1, 1, 3, 'floor');
        const average = (input: tf.Tensor) => tf.avgPool(input as tf.Tensor4D, 1, 1, 3, 'floor');
        return [most(x), average(x), tf.grad(most)(x), tf.grad(average)(x)];
      }) as [number[], number[], number[], number[]];
      expect(largest.filter(Number.isFinite)).toEqual([...x.dataSync()]);
      expect(largest[0]).toBe(Number.NEGATIVE_INFINITY);
      expect(mean.filter(Number.isFinite)).toEqual([...x.dataSync()]);
      expect(mean[0]).toBe(Number.NaN);
      expect([ofLargest, ofMean]).toEqual([new Array(x.size).fill(1), new Array(x.size).fill(1)]);
      x.dispose();
    }
    expect(memory()).toEqual(before);
  });

  it('max pooling with indices finds maxima below zero, and NaN', () => {
    const values = [-3, -1, -2, -5, -4, Number.NaN];
    const pooled = (inBatch: boolean) =>
      results(() => {
        const x = tf.tensor4d([...values, ...values.map((value) => value - 1)], [2, 1, 6, 1]);
        const { result, indexes } = tf.maxPoolWithArgmax(x, [1, 2], [1, 2], 'valid', inBatch);
        return [result as tf.Tensor, indexes as tf.Tensor];
      });
    const maxima = [-1, -2, Number.NaN, -2, -3, Number.NaN];
    expect(pooled(false)).toEqual([maxima, [1, 2, 5, 1, 2, 5]]);
    expect(pooled(true)).toEqual([maxima, [1, 2, 5, 7, 8, 11]]);
  });

  it('gathers from nothing, and leaves no memory', () => {
    const before = memory();
    const [x, rows] = [tf.zeros([3, 0]), tf.tensor1d([1, 2, 0, 2], 'int32')];
    const found = tf.gather(x, rows);
    expect(found.shape).toEqual([4, 0]);
    expect(() => tf.tidy(() => tf.gather(x, tf.tensor1d([3], 'int32')))).toThrow('the index value 3 is not in [0, 2]');
    tf.dispose([x, rows, found]);
    expect(memory()).toEqual(before);
  });

  it('transposes, and finds the largest and least of, nothing', () => {
    const empty = () => tf.zeros([0, 17, 8, 3]);
    tf.tidy(() => {
      expect(tf.transpose(empty(), [3, 1, 0, 2]).shape).toEqual([3, 17, 0, 8]);
      for (const find of [tf.argMax, tf.argMin]) {
        const found = find(empty(), -2);
        expect([found.shape, found.dtype]).toEqual([[0, 17, 3], 'int32']);
      }
    });
  });
});
