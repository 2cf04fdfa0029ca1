import { type Head, type Shape3, startOfTraining, trainingMode } from '@localgrad/core';
import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { headCostOf } from '../cost/cost-of.js';
import { createRandom } from '../random/random.js';
import { createScope } from '../random/scope.js';
import { perturb, randomTensor, relativeError } from '../testing/check-block.js';
import { referenceBatchNorm, taker } from '../testing/reference-ops.js';
import { createClassifier } from './classifier.js';
import { context, describeHead } from './head-laws.fixture.js';
import { headFactory, headNames } from './named-heads.js';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

const cifar: Readonly<Record<number, Shape3>> = { 16: [32, 32, 16], 32: [16, 16, 32], 64: [8, 8, 64] };

const size = (head: Head) => head.parameters.reduce((sum, parameter) => sum + parameter.size, 0);

describe('parameter counts of the reference code', () => {
  it.each([
    ['0c1f', [170, 330, 650]],
    ['0c2f', [3466, 5514, 9610]],
    ['1c1f', [5002, 19210, 37642]],
    ['1c2f', [10186, 28170, 46602]],
    ['1c3f', [26698, 44682, 63114]],
    ['2c2f', [19466, 65162, 83594]],
    ['dgl-128x512', [635146, 637194, 641290]],
  ] as const)('%s', (name, counts) => {
    const found = [16, 32, 64].map((channels) =>
      size(headFactory(name).build(context(cifar[channels] as Shape3), createScope(1))),
    );
    expect(found).toEqual(counts);
  });

  it.each([
    // By hand: 1×1 layers c² + 2c, hidden layers (4c)² (+ 4c) + 8c, and the last 4c·10 + 10.
    ['dgl-mlp-sr', 3 * (256 + 32) + 3 * (4096 + 64 + 128) + 650],
    ['dgl-mlp', 3 * (4096 + 64 + 128) + 650],
    ['dgl-cnn', 2 * (9 * 256 + 32) + 32 + 650],
    ['auglocal-dgl', 3 * (256 + 32) + 2 * (4096 + 128) + 650],
  ] as const)('match for %s at 16 channels', (name, count) => {
    expect(size(headFactory(name).build(context([32, 32, 16]), createScope(1)))).toBe(count);
  });
});

describe('headFactory', () => {
  it('names parameters by their index in the reference sequential', () => {
    const names = (name: string) =>
      headFactory(name)
        .build(context([8, 8, 4], [4, 4, 8]), createScope(1))
        .parameters.map((parameter) => parameter.name);
    expect(names('0c1f')).toEqual(['head.2.weight', 'head.2.bias']);
    expect(names('1c2f')).toEqual([
      'head.0.weight',
      'head.1.weight',
      'head.1.bias',
      'head.5.weight',
      'head.5.bias',
      'head.7.weight',
      'head.7.bias',
    ]);
  });

  it('accepts widths, and records them in its config', () => {
    const factory = headFactory('1c2f', { widen: 2, featureDimension: 12 });
    expect(factory.config).toEqual({ head: '1c2f', widen: 2, featureDimension: 12 });
    const head = factory.build(context([8, 8, 4], [4, 4, 8]), createScope(1));
    expect(size(head)).toBe(9 * 4 * 16 + 32 + 16 * 12 + 12 + 120 + 10);
  });

  it('lists the known names for an unknown one', () => {
    expect(() => headFactory('1c2')).toThrow(/Did you mean '1c1f'|Did you mean '1c2f'/);
    for (const name of headNames) expect(() => headFactory('none')).toThrow(name);
    expect(() => headFactory('1c2f', { width: 2 } as never)).toThrow(/widen/);
    expect(() => headFactory('1c2f', { widen: 0.5 })).toThrow(/widen/);
  });
});

/** Too wide for plain JavaScript in a fast test: see heads.slow.test.ts. */
const wide = 'dgl-128x512';
for (const name of headNames) {
  if (name !== wide) describeHead(name, name === 'class-token' ? { inputShape: [1, 10, 4] } : {});
}

it('1c2f matches the gradients of the tape', () => {
  const head = headFactory('1c2f', { featureDimension: 6 }).build(context([6, 6, 3], [3, 3, 6]), createScope(1));
  perturb(head, createRandom(1));
  const h = randomTensor([4, 6, 6, 3], createRandom(2)) as tf.Tensor4D;
  const targets = { labels: tf.tensor1d([1, 0, 9, 3], 'int32') };
  const reference = (x: tf.Tensor, ...values: tf.Tensor[]) => {
    const take = taker(values);
    const z = tf.conv2d(x as tf.Tensor4D, take() as tf.Tensor4D, 2, 1);
    const pooled = tf.mean<tf.Tensor2D>(tf.relu(referenceBatchNorm(z, take(), take())), [1, 2]);
    const hidden = tf.relu(tf.add<tf.Tensor2D>(tf.matMul(pooled, take() as tf.Tensor2D), take()));
    const logits = tf.add<tf.Tensor2D>(tf.matMul(hidden, take() as tf.Tensor2D), take());
    return tf.losses.softmaxCrossEntropy(tf.oneHot(targets.labels, 10), logits);
  };
  const tape = tf.grads(reference)([h, ...head.parameters.map((parameter) => parameter.value)]);
  const { input, parameters } = head.evaluate(h, targets, {
    mode: trainingMode,
    weight: 1,
    input: true,
    clock: startOfTraining,
  });
  const found = [input, ...head.parameters.map((parameter) => parameters.get(parameter))];
  found.forEach((gradient, index) => {
    expect(relativeError(gradient as tf.Tensor, tape[index] as tf.Tensor)).toBeLessThan(1e-4);
  });
});

it('createClassifier creates fc.weight and fc.bias', () => {
  const head = createClassifier({ scope: createScope(1), inputShape: [8, 8, 64], classes: 10 });
  expect(head.parameters.map((parameter) => [parameter.name, parameter.shape])).toEqual([
    ['fc.weight', [64, 10]],
    ['fc.bias', [10]],
  ]);
  expect(headCostOf(head).multiplyAccumulates).toBe(640);
});
