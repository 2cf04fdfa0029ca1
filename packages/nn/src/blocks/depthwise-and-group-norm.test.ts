import { type Block, evaluationMode, type Shape3, trainingMode } from '@localgrad/core';
import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { constant } from '../random/initializers.js';
import { createScope } from '../random/scope.js';
import { weightFromPyTorch } from '../serialization/pytorch.js';
import { checkBlock, checkCost, type ReferenceFunction } from '../testing/check-block.js';
import { batchNorm } from './batch-norm.js';
import { conv2d } from './conv2d.js';
import { dense } from './dense.js';
import { depthwiseConv2d } from './depthwise-conv2d.js';
import { groupNorm } from './group-norm.js';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

const maps: Shape3 = [6, 5, 4];
const scope = () => createScope(7);

function referenceGroupNorm(x: tf.Tensor4D, groups: number, scale: tf.Tensor, shift: tf.Tensor): tf.Tensor4D {
  const [batch, height, width, channels] = x.shape;
  const grouped = tf.reshape(x, [batch, height * width, groups, channels / groups]);
  const centered = tf.sub(grouped, tf.mean(grouped, [1, 3], true));
  const variance = tf.mean(tf.square(centered), [1, 3], true);
  const normalized = tf.reshape(tf.mul(centered, tf.rsqrt(tf.add(variance, 1e-5))), x.shape);
  return tf.add(tf.mul(normalized, scale), shift);
}

const depthwise = (stride: number, multiplier: number): [string, () => Block, ReferenceFunction] => [
  `depthwise convolution, stride ${stride}, multiplier ${multiplier}`,
  () => depthwiseConv2d({ name: 'd', scope: scope(), inputShape: maps, stride, multiplier }),
  (x, [weight, bias]) => {
    const filter = tf.reshape(weight as tf.Tensor, [3, 3, 4, multiplier]) as tf.Tensor4D;
    return tf.add(tf.depthwiseConv2d(x, filter, stride, 1), bias as tf.Tensor);
  },
];

const cases: [string, () => Block, ReferenceFunction][] = [
  depthwise(1, 1),
  depthwise(2, 1),
  depthwise(1, 3),
  ...[1, 2, 4].map((groups): [string, () => Block, ReferenceFunction] => [
    `group norm, ${groups} groups`,
    () => groupNorm({ name: 'g', scope: scope(), inputShape: maps, groups }),
    (x, [scale, shift]) => referenceGroupNorm(x, groups, scale as tf.Tensor, shift as tf.Tensor),
  ]),
];

describe.each(cases)('%s', (_, create, reference) => {
  it('has the gradients of the tape', () => {
    checkBlock(create(), reference, { batch: 4 });
  });

  it('predicts its bytes', () => {
    checkCost(create(), 8, 0.05);
  });
});

describe('depthwiseConv2d', () => {
  it('takes the weight of a PyTorch convolution with groups', () => {
    // Conv2d(2, 4, 1, groups=2): output channels 0, 1 read input channel 0, and 2, 3 input channel 1.
    const stored = weightFromPyTorch({ shape: [4, 1, 1, 1], data: Float32Array.of(1, 10, 100, 1000) });
    const options = { name: 'd', scope: scope(), inputShape: [1, 1, 2] as Shape3, kernelSize: 1, multiplier: 2 };
    const block = depthwiseConv2d({ ...options, bias: false });
    expect(block.parameters[0]?.shape).toEqual(stored.shape);
    block.parameters[0]?.assign(tf.tensor(stored.data, [...stored.shape]));
    const { output } = block.forward(tf.tensor4d([1, 2], [1, 1, 1, 2]), evaluationMode);
    expect([...output.dataSync()]).toEqual([1, 10, 200, 2000]);
  });

  it('rejects a multiplier below 1', () => {
    expect(() => depthwiseConv2d({ name: 'd', scope: scope(), inputShape: maps, multiplier: 0 })).toThrow(/multiplier/);
  });
});

describe('groupNorm', () => {
  it('treats an image alike in any batch, in training and evaluation', () => {
    const block = groupNorm({ name: 'g', scope: scope(), inputShape: maps, groups: 2 });
    const x = tf.randomNormal<tf.Rank.R4>([3, ...maps], 5, 2, 'float32', 1);
    const alone = block.forward(tf.slice(x, [0, 0, 0, 0], [1, ...maps]), evaluationMode).output.dataSync();
    const together = block.forward(x, trainingMode).output.dataSync();
    expect(together.slice(0, alone.length)).toEqual(alone);
  });

  it('rejects groups that do not divide the channels', () => {
    expect(() => groupNorm({ name: 'g', scope: scope(), inputShape: maps, groups: 3 })).toThrow(
      /divisors of the 4 channels/,
    );
  });
});

describe('options', () => {
  it('of conv2d, dense and depthwiseConv2d initialize weights and biases', () => {
    const initializers = { initializer: constant(2), biasInitializer: constant(3) };
    const blocks = [
      conv2d({ name: 'c', scope: scope(), inputShape: maps, channels: 2, ...initializers }),
      dense({ name: 'd', scope: scope(), inputShape: [1, 1, 4], units: 2, ...initializers }),
      depthwiseConv2d({ name: 'd', scope: scope(), inputShape: maps, ...initializers }),
    ];
    for (const { parameters } of blocks) {
      const [weight, bias] = parameters.map(({ value }) => new Set(value.dataSync()));
      expect([weight, bias]).toEqual([new Set([2]), new Set([3])]);
    }
  });

  it('of batchNorm set epsilon and the momentum of the running statistics', () => {
    const options = { name: 'b', scope: scope(), inputShape: [1, 1, 1] as Shape3, epsilon: 3, momentum: 0.25 };
    const block = batchNorm(options);
    const { output } = block.forward(tf.tensor4d([0, 2], [2, 1, 1, 1]), trainingMode);
    // Mean 1 and variance 1, unbiased 2.
    expect([...output.dataSync()]).toEqual([-0.5, 0.5]);
    expect(block.statistics.map(({ value }) => value.dataSync()[0])).toEqual([0.25, 0.75 * 1 + 0.25 * 2]);
    expect(() => batchNorm({ ...options, scope: scope(), momentum: 2 })).toThrow(/momentum/);
  });
});
