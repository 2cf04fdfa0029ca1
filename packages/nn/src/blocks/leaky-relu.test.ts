import { trainingMode } from '@localgrad/core';
import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { checkBlock, checkCost } from '../testing/check-block.js';
import { leakyRelu } from './activations.js';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

describe('leakyRelu', () => {
  it('has the VJP of TensorFlow.js, at negative values too', () => {
    checkBlock(leakyRelu('activation', [4, 4, 6]), (x) => tf.leakyRelu(x, 0.01));
    checkBlock(leakyRelu('activation', [1, 1, 6], 0.3), (x) => tf.leakyRelu(x, 0.3));
  });

  it('has the slope at 0, as in PyTorch', () => {
    const block = leakyRelu('activation', [1, 1, 3], 0.25);
    const pass = block.forward(tf.tensor4d([-2, 0, 2], [1, 1, 1, 3]), trainingMode);
    expect([...pass.output.dataSync()]).toEqual([-0.5, 0, 2]);
    const { input } = block.vjp(pass, tf.ones([1, 1, 1, 3]), { input: true, parameters: true, release: true });
    expect([...(input?.dataSync() ?? [])]).toEqual([0.25, 0.25, 1]);
  });

  it('predicts its memory', () => {
    checkCost(leakyRelu('activation', [4, 4, 8]));
  });

  it.each([0, 1, -0.1, Number.NaN])('rejects slope %f', (slope) => {
    expect(() => leakyRelu('activation', [1, 1, 3], slope)).toThrow(/'slope'.*numbers between 0 and 1/);
  });
});
