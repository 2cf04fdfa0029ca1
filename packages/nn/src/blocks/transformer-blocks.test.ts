import { evaluationMode, type Shape3 } from '@localgrad/core';
import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { createScope } from '../random/scope.js';
import { checkBlock, checkCost, type ReferenceFunction } from '../testing/check-block.js';
import { leakyRelu } from './activations.js';
import { attention } from './attention.js';
import { classToken, firstToken, patchTokens } from './class-token.js';
import { positionwiseDense } from './dense.js';
import { flattenChannelsFirst } from './flatten-channels-first.js';
import { gelu } from './gelu.js';
import { layerNorm } from './layer-norm.js';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

const tokens: Shape3 = [1, 7, 8];
const triples: Shape3 = [1, 7, 24];
const scope = () => createScope(7);

function referenceAttention(x: tf.Tensor4D, heads: number): tf.Tensor4D {
  const [batch, , count, channels] = x.shape;
  const width = channels / 3;
  const outputs = Array.from({ length: heads }, (_, head) => {
    const size = width / heads;
    const [q, k, v] = [0, 1, 2].map((part) =>
      tf.reshape(tf.slice(x, [0, 0, 0, part * width + head * size], [batch, 1, count, size]), [batch, count, size]),
    ) as [tf.Tensor3D, tf.Tensor3D, tf.Tensor3D];
    const weights = tf.softmax(tf.mul(tf.matMul(q, k, false, true), 1 / Math.sqrt(size)));
    return tf.reshape(tf.matMul(weights, v), [batch, 1, count, size]);
  });
  return tf.concat(outputs, 3) as tf.Tensor4D;
}

function referenceLayerNorm(x: tf.Tensor4D, [scale, shift]: readonly tf.Tensor[]): tf.Tensor4D {
  const centered = tf.sub(x, tf.mean(x, -1, true));
  const variance = tf.mean(tf.square(centered), -1, true);
  return tf.add(tf.mul(tf.mul(centered, tf.rsqrt(tf.add(variance, 1e-6))), scale ?? 1), shift ?? 0);
}

const cases: [string, () => ReturnType<typeof gelu>, ReferenceFunction][] = [
  ...[1, 2, 4].map((heads): [string, () => ReturnType<typeof gelu>, ReferenceFunction] => [
    `attention, ${heads} heads`,
    () => attention({ name: 'a', inputShape: triples, heads }),
    (x) => referenceAttention(x, heads),
  ]),
  ['layerNorm', () => layerNorm({ name: 'n', scope: scope(), inputShape: [3, 4, 6] }), referenceLayerNorm],
  [
    'positionwiseDense',
    () => positionwiseDense({ name: 'd', scope: scope(), inputShape: tokens, units: 5 }),
    (x, [weight, bias]) => {
      const rows = tf.matMul(tf.reshape(x, [-1, 8]), weight as tf.Tensor2D);
      return tf.reshape(tf.add(rows, bias as tf.Tensor), [x.shape[0], 1, 7, 5]);
    },
  ],
  [
    'classToken',
    () => classToken({ name: 't', scope: scope(), inputShape: [2, 3, 8] }),
    (x, [token, positions]) => {
      const batch = x.shape[0];
      const first = tf.tile(tf.reshape(token as tf.Tensor, [1, 1, 1, 8]), [batch, 1, 1, 1]);
      const sequence = tf.concat([first, tf.reshape(x, [batch, 1, 6, 8])], 2);
      return tf.add(sequence, tf.reshape(positions as tf.Tensor, [1, 1, 7, 8]));
    },
  ],
  [
    'patchTokens',
    () => patchTokens('p', [1, 7, 8], [2, 3]),
    (x) => tf.reshape(tf.slice(x, [0, 0, 1, 0], [-1, 1, 6, 8]), [-1, 2, 3, 8]),
  ],
  ['firstToken', () => firstToken('f', tokens), (x) => tf.slice(x, [0, 0, 0, 0], [-1, 1, 1, 8])],
  ['gelu', () => gelu('g', tokens), (x) => tf.mul(tf.mul(x, 0.5), tf.add(tf.erf(tf.mul(x, Math.SQRT1_2)), 1))],
  ['leakyRelu', () => leakyRelu('l', tokens, 0.2), (x) => tf.leakyRelu(x, 0.2)],
  [
    'flattenChannelsFirst',
    () => flattenChannelsFirst('f', [2, 3, 4]),
    (x) => tf.reshape(tf.transpose(x, [0, 3, 1, 2]), [x.shape[0], 1, 1, 24]),
  ],
];

describe.each(cases)('%s', (_, create, reference) => {
  it('has the gradients of the tape', () => {
    checkBlock(create(), reference);
  });

  it('predicts its bytes', () => {
    checkCost(create(), 8, 0.02);
  });
});

it('attention stays finite where scores are large', () => {
  const x = tf.mul<tf.Tensor4D>(tf.ones([1, 1, 7, 24]), 100);
  const { output } = attention({ name: 'a', inputShape: triples, heads: 2 }).forward(x, evaluationMode);
  for (const value of output.dataSync()) expect(value).toBeCloseTo(100, 4);
});

it('blocks reject options that do not fit', () => {
  expect(() => attention({ name: 'a', inputShape: triples, heads: 3 })).toThrow(/divisors of 8/);
  expect(() => attention({ name: 'a', inputShape: [2, 7, 24], heads: 2 })).toThrow(/1 × tokens × 3d/);
  expect(() => layerNorm({ name: 'n', scope: scope(), inputShape: tokens, epsilon: -1 })).toThrow(/epsilon/);
  expect(() => positionwiseDense({ name: 'd', scope: scope(), inputShape: tokens, units: 0 })).toThrow(/units/);
});
