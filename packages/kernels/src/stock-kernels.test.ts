import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { composedFilterGradient, stockKernels } from './stock-kernels.js';
import { normal, relativeError } from './testing/tensors.js';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

describe.each([
  [3, 1, 1],
  [3, 2, 1],
  [1, 2, 0],
])('filter gradient, kernel %i, stride %i, padding %i', (size, stride, padding) => {
  it('is equal if composed from matrix products', () => {
    const x = normal<tf.Rank.R4>([2, 5, 6, 3], 1);
    const shape = [size, size, 3, 4] as const;
    const dy = normal<tf.Rank.R4>(tf.conv2d(x, tf.ones<tf.Rank.R4>([...shape]), stride, padding).shape, 2);
    const before = tf.memory().numTensors;
    const found = composedFilterGradient(x, dy, shape, { stride, padding });
    const wanted = stockKernels.conv2dFilterGradient(x, dy, shape, { stride, padding });
    expect(tf.memory().numTensors).toBe(before + 2);
    expect(relativeError(found, wanted)).toBeLessThan(1e-5);
  });
});

describe('stockKernels', () => {
  const normalization = () => ({
    mean: tf.zeros<tf.Rank.R1>([3]),
    variance: tf.ones<tf.Rank.R1>([3]),
    epsilon: 1e-5,
    scale: tf.ones<tf.Rank.R1>([3]),
    shift: tf.zeros<tf.Rank.R1>([3]),
  });

  it.each([
    ['none', true, true],
    ['none', false, true],
    ['recompute', true, false],
    ['recompute', false, true],
  ] as const)(
    'batchNormGradient consumes dy, and x with overwriteInput: mask %s, overwriteInput %s, wantMasked %s',
    (mask, overwriteInput, wantMasked) => {
      const x = normal<tf.Rank.R4>([2, 3, 3, 3], 3);
      const dy = normal<tf.Rank.R4>(x.shape, 4);
      const values = dy.dataSync().slice();
      const shared = normalization();
      const before = tf.memory().numTensors;
      const result = stockKernels.batchNormGradient({ dy, x, normalization: shared, mask, overwriteInput, wantMasked });
      expect(dy.isDisposed).toBe(true);
      expect(x.isDisposed).toBe(overwriteInput);
      expect(tf.memory().numTensors).toBe(before - 1 - (overwriteInput ? 1 : 0) + 3 + (wantMasked ? 1 : 0));
      if (mask === 'none') expect(result.masked?.dataSync()).toEqual(values);
    },
  );

  it('accumulate consumes its first argument', () => {
    const [a, b] = [tf.ones([2]), tf.ones([2])];
    expect([...stockKernels.accumulate(a, b).dataSync()]).toEqual([2, 2]);
    expect([a.isDisposed, b.isDisposed]).toEqual([true, false]);
  });

  it('sgdUpdate consumes gradient and velocity', () => {
    const [value, gradient, velocity] = [tf.ones([2]), tf.ones([2]), tf.ones([2])];
    const before = tf.memory().numTensors;
    const rates = { learningRate: 0.1, momentum: 0.9, nesterov: false, weightDecay: 0 };
    stockKernels.sgdUpdate({ value, gradient, velocity, ...rates });
    expect([value.isDisposed, gradient.isDisposed, velocity.isDisposed]).toEqual([false, true, true]);
    expect(tf.memory().numTensors).toBe(before);
  });

  it('softmaxCrossEntropy has the gradient that automatic differentiation finds', () => {
    const logits = normal<tf.Rank.R2>([4, 5], 5);
    const labels = tf.tensor1d([0, 4, 2, 2], 'int32');
    const { loss, gradient } = stockKernels.softmaxCrossEntropy(logits, labels, 0.5);
    const reference = (x: tf.Tensor) =>
      tf.losses.softmaxCrossEntropy(tf.oneHot(labels, 5), x as tf.Tensor2D) as tf.Scalar;
    const tape = tf.mul(tf.grad(reference)(logits), 0.5);
    expect(relativeError(gradient, tape)).toBeLessThan(1e-5);
    expect(loss.dataSync()[0]).toBeCloseTo(reference(logits).dataSync()[0] as number, 5);
  });
});
