import { type Block, type Head, type Shape3, startOfTraining, trainingMode } from '@localgrad/core';
import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { blockHead } from '../heads/block-head.js';
import { chainedHead } from '../heads/chained-head.js';
import { combinedHead } from '../heads/combined-head.js';
import { meanSquaredError } from '../losses/pixel-losses.js';
import { createRandom } from '../random/random.js';
import { createScope } from '../random/scope.js';
import { checkBlock, randomTensor, relativeError } from '../testing/check-block.js';
import { conv2d } from './conv2d.js';
import { parallelConcatenation } from './parallel-concatenation.js';
import { parallelSum } from './parallel-sum.js';
import { scaledSum } from './scaled-sum.js';
import { sequential } from './sequential.js';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

const shape: Shape3 = [4, 3, 2];
const create = () =>
  conv2d({ name: 'c', scope: createScope(3), inputShape: shape, channels: 2, kernelSize: 1, padding: 0 });
const convolved = (x: tf.Tensor4D, [weight, bias]: readonly tf.Tensor[]) =>
  tf.add<tf.Tensor4D>(tf.conv2d(x, weight as tf.Tensor4D, 1, 0), bias as tf.Tensor);

describe('a block that a composition uses twice has the sum of its gradients', () => {
  it('sequential', () => {
    const block = create();
    checkBlock(sequential('s', [block, block]), (x, values) => convolved(convolved(x, values), values));
  });

  it('parallelSum', () => {
    const block = create();
    checkBlock(parallelSum('p', block, sequential('s', [block, block])), (x, values) =>
      tf.add(convolved(x, values), convolved(convolved(x, values), values)),
    );
  });

  it('scaledSum', () => {
    const block = create();
    checkBlock(scaledSum('p', block, sequential('s', [block, block]), createScope(5)), (x, values) => {
      const scale = values[2] as tf.Tensor;
      const both = [convolved(x, values), convolved(convolved(x, values), values)] as const;
      return tf.add(tf.mul(both[0], scale), tf.mul(both[1], tf.sub(2, scale)));
    });
  });

  it('parallelConcatenation', () => {
    const block = create();
    checkBlock(parallelConcatenation('p', [block, sequential('s', [block, block])]), (x, values) =>
      tf.concat([convolved(x, values), convolved(convolved(x, values), values)], 3),
    );
  });

  const values = randomTensor([5, ...shape], createRandom(8));
  const headOf = (block: Block) => blockHead({ name: 'h', blocks: [block], loss: meanSquaredError() });
  const errorOf = (x: tf.Tensor4D) => tf.losses.meanSquaredError(values, x) as tf.Scalar;
  it.each<[string, (block: Block) => Head, ReferenceLoss]>([
    [
      'combinedHead',
      (block) =>
        combinedHead('c', [
          { name: 'once', weight: 1, head: headOf(block) },
          { name: 'twice', weight: 0.5, head: headOf(sequential('s', [block, block])) },
        ]),
      (x, own) => tf.add(errorOf(convolved(x, own)), tf.mul(0.5, errorOf(convolved(convolved(x, own), own)))),
    ],
    [
      'chainedHead',
      (block) => chainedHead('c', block, headOf(block)),
      (x, own) => errorOf(convolved(convolved(x, own), own)),
    ],
  ])('%s', (_, build, reference) => {
    const block = create();
    const head = build(block);
    expect(head.parameters).toEqual(block.parameters);
    const x = randomTensor([5, ...shape], createRandom(9)) as tf.Tensor4D;
    const request = { mode: trainingMode, weight: 1, input: false, clock: startOfTraining };
    const before = tf.memory().numTensors;
    const { loss, terms, parameters } = head.evaluate(x, { values }, request);
    expect(tf.memory().numTensors).toBe(before + 1 + (terms?.size ?? 0) + 2);
    const tape = tf.grads((...own: tf.Tensor[]) => reference(x, own))(block.parameters.map(({ value }) => value));
    block.parameters.forEach((parameter, index) => {
      expect(relativeError(parameters.get(parameter) as tf.Tensor, tape[index] as tf.Tensor)).toBeLessThan(1e-5);
    });
    expect(loss.dataSync()[0]).toBeCloseTo(
      reference(
        x,
        block.parameters.map(({ value }) => value),
      ).dataSync()[0] ?? 0,
      4,
    );
  });
});

/** The loss in ordinary operations, from the input of the head and the block's parameters. */
type ReferenceLoss = (x: tf.Tensor4D, own: readonly tf.Tensor[]) => tf.Tensor;
