import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { stockKernels } from '../stock-kernels.js';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

const learningRate = 0.05;
const betas = [0.8, 0.95] as const;
const epsilon = 1e-3;
const gradients = [0.5, -2, 0.25, 3];

/** The updates of torch.optim.Adam and AdamW for one number, in float64. */
function reference(start: number, weightDecay: number, decoupled: boolean): number[] {
  let [p, m, v] = [start, 0, 0];
  return gradients.map((gradient, index) => {
    const g = decoupled ? gradient : gradient + weightDecay * p;
    if (decoupled) p -= learningRate * weightDecay * p;
    m = betas[0] * m + (1 - betas[0]) * g;
    v = betas[1] * v + (1 - betas[1]) * g ** 2;
    const [unbiasedM, unbiasedV] = [m / (1 - betas[0] ** (index + 1)), v / (1 - betas[1] ** (index + 1))];
    p -= (learningRate * unbiasedM) / (Math.sqrt(unbiasedV) + epsilon);
    return p;
  });
}

describe('adamUpdate', () => {
  it.each([
    ['Adam', 0, false],
    ['Adam with decay', 0.1, false],
    ['AdamW', 0.1, true],
  ])('follows %s of PyTorch', (_, weightDecay, decoupled) => {
    let value: tf.Tensor = tf.tensor1d([1.5]);
    let moments: { first: tf.Tensor; second: tf.Tensor } | undefined;
    const before = tf.memory().numTensors;
    const found = gradients.map((gradient, index) => {
      const request = { value, gradient: tf.tensor1d([gradient]), moments, update: index + 1 };
      const result = stockKernels.adamUpdate({ ...request, learningRate, betas, epsilon, weightDecay, decoupled });
      value.dispose();
      value = result.value;
      moments = result;
      return value.dataSync()[0] ?? Number.NaN;
    });
    expect(tf.memory().numTensors).toBe(before + 2);
    reference(1.5, weightDecay, decoupled).forEach((wanted, index) => {
      expect(found[index]).toBeCloseTo(wanted, 5);
    });
  });
});
