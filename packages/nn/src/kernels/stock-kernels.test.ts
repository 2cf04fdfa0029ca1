import * as tf from '@tensorflow/tfjs';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createRandom } from '../random/random.js';
import { copy, randomTensor, relativeError } from '../testing/check-block.js';
import { currentKernels, registerTrainingKernels, resetTrainingKernels } from './registry.js';
import { composedFilterGradient, stockKernels } from './stock-kernels.js';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

describe('registry', () => {
  afterEach(() => resetTrainingKernels());

  it('gives the kernels of the current backend, and the stock ones where there are none', () => {
    const mine = { ...stockKernels, name: 'mine' };
    registerTrainingKernels('elsewhere', mine);
    expect(currentKernels()).toBe(stockKernels);
    registerTrainingKernels('cpu', mine);
    expect(currentKernels()).toBe(mine);
    resetTrainingKernels('cpu');
    expect(currentKernels()).toBe(stockKernels);
  });
});

describe.each([
  [3, 1, 1],
  [3, 2, 1],
  [1, 2, 0],
])('filter gradient, kernel %i, stride %i, padding %i', (size, stride, padding) => {
  it('composed of matrix products it equals the kernel', () => {
    const random = createRandom(1);
    const x = randomTensor([2, 5, 6, 3], random) as tf.Tensor4D;
    const shape = [size, size, 3, 4] as const;
    const dy = randomTensor(
      tf.conv2d(x, tf.ones([...shape]) as tf.Tensor4D, stride, padding).shape,
      random,
    ) as tf.Tensor4D;
    const before = tf.memory().numTensors;
    const found = composedFilterGradient(x, dy, shape, { stride, padding });
    const wanted = stockKernels.conv2dFilterGradient(x, dy, shape, { stride, padding });
    expect(tf.memory().numTensors).toBe(before + 2);
    expect(relativeError(found, wanted)).toBeLessThan(1e-5);
  });
});

describe('ownership', () => {
  const random = createRandom(2);
  const normalisation = () => ({
    ...{ mean: tf.zeros([3]) as tf.Tensor1D, variance: tf.ones([3]) as tf.Tensor1D, epsilon: 1e-5 },
    ...{ scale: tf.ones([3]) as tf.Tensor1D, shift: tf.zeros([3]) as tf.Tensor1D },
  });

  it.each([
    ['none', true, true],
    ['none', false, true],
    ['recompute', true, false],
    ['recompute', false, true],
  ] as const)('batchNormGradient, mask %s, overwrite %s, masked %s', (mask, overwriteInput, wantMasked) => {
    const x = randomTensor([2, 3, 3, 3], random) as tf.Tensor4D;
    const dy = randomTensor(x.shape, random) as tf.Tensor4D;
    const values = dy.dataSync().slice();
    const shared = normalisation();
    const before = tf.memory().numTensors;
    const result = stockKernels.batchNormGradient({ dy, x, normalisation: shared, mask, overwriteInput, wantMasked });
    expect(dy.isDisposed).toBe(true);
    expect(x.isDisposed).toBe(overwriteInput);
    expect(tf.memory().numTensors).toBe(before - 1 - (overwriteInput ? 1 : 0) + 3 + (wantMasked ? 1 : 0));
    if (mask === 'none') expect(result.masked?.dataSync()).toEqual(values);
  });

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

  it('softmax cross-entropy has the tape’s gradient', () => {
    const logits = randomTensor([4, 5], random) as tf.Tensor2D;
    const labels = tf.tensor1d([0, 4, 2, 2], 'int32');
    const { loss, gradient } = stockKernels.softmaxCrossEntropy(logits, labels, 0.5);
    const reference = (x: tf.Tensor) =>
      tf.losses.softmaxCrossEntropy(tf.oneHot(labels, 5), x as tf.Tensor2D) as tf.Scalar;
    const tape = tf.mul(tf.grad(reference)(copy(logits)), 0.5);
    expect(relativeError(gradient, tape)).toBeLessThan(1e-5);
    expect(loss.dataSync()[0]).toBeCloseTo(reference(logits).dataSync()[0] as number, 5);
  });
});
