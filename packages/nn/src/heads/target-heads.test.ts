import { type HeadContext, type Shape3, startOfTraining, trainingMode } from '@localgrad/core';
import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { conv2d } from '../blocks/conv2d.js';
import { sgd } from '../optimizers/sgd.js';
import { createRandom } from '../random/random.js';
import { createScope } from '../random/scope.js';
import { randomTensor } from '../testing/check-block.js';
import { chainedHead } from './chained-head.js';
import { combinedHead } from './combined-head.js';
import { pixelDecoder } from './decoder.js';
import { meanSquaredErrorHead, pixelCrossEntropyHead } from './target-heads.js';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

const context: HeadContext = {
  module: 0,
  modules: 1,
  inputShape: [4, 4, 6],
  moduleInputShape: [8, 8, 3],
  finalShape: [4, 4, 6],
  classes: 3,
  imageShape: [8, 8, 3],
};

/** Metrics of a head before and after some steps of SGD on one batch. */
function train(head: ReturnType<ReturnType<typeof pixelCrossEntropyHead>['build']>, h: tf.Tensor4D, targets: object) {
  const batch = { ...targets };
  const optimizer = sgd({ learningRate: 0.5, weightDecay: 0 });
  const read = () => {
    const metrics = head.measure?.(h, batch) ?? new Map<string, tf.Tensor>();
    const values = new Map([...metrics].map(([name, value]) => [name, Float64Array.from(value.dataSync())]));
    tf.dispose([...metrics.values()]);
    const scalars = [...values].filter(([, { length }]) => length === 1);
    const means = scalars.map(([name, [value = Number.NaN]]) => [name, value] as const);
    return new Map([...means, ...Object.entries(head.summarize?.(values) ?? {})]);
  };
  const before = read();
  const tensors = tf.memory().numTensors;
  for (let step = 0; step < 60; step++) {
    const clock = { ...startOfTraining, step };
    const { loss, parameters } = head.evaluate(h, batch, { mode: trainingMode, weight: 1, input: false, clock });
    loss.dispose();
    optimizer.update(
      [...parameters].map(([parameter, gradient]) => ({ parameter, gradient })),
      { learningRate: 0.5, clock },
    );
  }
  optimizer.dispose();
  expect(tf.memory().numTensors).toBe(tensors);
  return { before, after: read() };
}

describe('meanSquaredErrorHead', () => {
  it('learns a linear function of the pooled features', () => {
    const head = meanSquaredErrorHead({ outputs: 2 }).build(context, createScope(1));
    expect(head.reads).toEqual(['values']);
    const h = randomTensor([12, 4, 4, 6], createRandom(1)) as tf.Tensor4D;
    const map = randomTensor([6, 2], createRandom(2)) as tf.Tensor2D;
    const values = tf.tidy(() => tf.matMul(tf.mean<tf.Tensor2D>(h, [1, 2]), map));
    const { before, after } = train(head, h, { values });
    expect([...after.keys()]).toEqual(['loss']);
    expect(after.get('loss') ?? 1).toBeLessThan(0.1 * (before.get('loss') ?? 0));
    expect(head.predict?.(h).shape).toEqual([12, 2]);
  });

  it('reports head and target if the batch lacks the target', () => {
    const head = meanSquaredErrorHead({ target: 'ages' }).build(context, createScope(1));
    const request = { mode: trainingMode, weight: 1, input: false, clock: startOfTraining };
    const h = tf.zeros([2, 4, 4, 6]) as tf.Tensor4D;
    expect(() => head.evaluate(h, { labels: tf.tensor1d([0, 1], 'int32') }, request)).toThrow(
      "The batch has no target 'ages', which head 'mean-squared-error' reads; its targets: labels.",
    );
    expect(() => meanSquaredErrorHead({ target: 'labels' })).toThrow(/'target'/);
  });
});

describe('pixelCrossEntropyHead', () => {
  it('learns the class of each pixel', () => {
    const head = pixelCrossEntropyHead().build(context, createScope(1));
    expect(head.reads).toEqual(['masks']);
    const h = randomTensor([2, 4, 4, 6], createRandom(3)) as tf.Tensor4D;
    const teacher = pixelCrossEntropyHead().build(context, createScope(9));
    const scores = teacher.predict?.(h) as tf.Tensor4D;
    expect(scores.shape).toEqual([2, 8, 8, 3]);
    const masks = tf.argMax(scores, 3);
    const { before, after } = train(head, h, { masks });
    expect(after.get('loss') ?? 1).toBeLessThan(0.5 * (before.get('loss') ?? 0));
    expect(after.get('accuracy') ?? 0).toBeGreaterThan(0.9);
    expect(after.get('meanIoU') ?? 0).toBeGreaterThan(before.get('meanIoU') ?? 1);
  });

  it('names its main metric, also inside other heads', () => {
    const head = pixelCrossEntropyHead().build(context, createScope(1));
    const decoder = pixelDecoder(context, createScope(1));
    const combined = combinedHead('both', [
      { name: 'reconstruction', weight: 1, head: decoder },
      { name: 'masks', weight: 1, head },
    ]);
    const chain = conv2d({ name: 'conv', scope: createScope(1), layer: 'c', inputShape: [4, 4, 6], channels: 6 });
    const chained = chainedHead('chained', chain, combined);
    expect([head, combined, chained].map(({ mainMetric }) => mainMetric)).toEqual(['meanIoU', 'meanIoU', 'meanIoU']);
    expect(decoder).not.toHaveProperty('mainMetric');
  });
});

describe('pixelDecoder on the tokens of a vision transformer', () => {
  it('reads the patches on their grid, without the class token', () => {
    const random = createRandom(1);
    const normal = (shape: [number, number, number, number]) => randomTensor(shape, random) as tf.Tensor4D;
    const images = tf.sigmoid<tf.Tensor4D>(normal([2, 8, 4, 3]));
    const map = normal([2, 4, 2, 6]);
    const patches: tf.Tensor4D = tf.reshape(map, [2, 1, 8, 6]);
    const tokens: tf.Tensor4D = tf.concat([normal([2, 1, 1, 6]), patches], 2);
    const lossOf = (h: tf.Tensor4D) => {
      const inputShape = h.shape.slice(1) as unknown as Shape3;
      const head = pixelDecoder({ ...context, inputShape, imageShape: [8, 4, 3] }, createScope(1));
      const request = { mode: trainingMode, weight: 1, input: true, clock: startOfTraining };
      const { loss, input } = head.evaluate(h, { images }, request);
      return { loss: loss.dataSync()[0], gradient: input };
    };
    const [onMap, onTokens] = [lossOf(map), lossOf(tokens)];
    expect(onTokens.loss).toBe(onMap.loss);
    const expected = tf.pad(tf.reshape(onMap.gradient as tf.Tensor, [2, 1, 8, 6]), [
      [0, 0],
      [0, 0],
      [1, 0],
      [0, 0],
    ]);
    expect([...(onTokens.gradient as tf.Tensor).dataSync()]).toEqual([...expected.dataSync()]);
  });

  // Bilinear upsampling of one row repeats it, so that a map of two equal rows has the same loss.
  it.each([
    ['a patch of a map', { imageShape: [6, 6, 3], isPatch: true }],
    ['a map of a wide image', { imageShape: [4, 8, 3] }],
  ] as const)('reads all columns of %s that has one row', (_name, shapes) => {
    const random = createRandom(1);
    const row = randomTensor([2, 1, 2, 6], random) as tf.Tensor4D;
    const [height, width, channels] = shapes.imageShape;
    const images = tf.sigmoid<tf.Tensor4D>(randomTensor([2, height, width, channels], random) as tf.Tensor4D);
    const resultOf = (h: tf.Tensor4D) => {
      const inputShape = h.shape.slice(1) as unknown as Shape3;
      const head = pixelDecoder({ ...context, ...shapes, inputShape }, createScope(1));
      const request = { mode: trainingMode, weight: 1, input: true, clock: startOfTraining };
      return head.evaluate(h, { images }, request);
    };
    const [one, two] = [resultOf(row), resultOf(tf.concat([row, row], 1))];
    expect(one.loss.dataSync()[0]).toBeCloseTo(two.loss.dataSync()[0] as number, 6);
    const summed = tf.sum(two.input as tf.Tensor4D, 1, true);
    expect(tf.max(tf.abs(tf.sub(one.input as tf.Tensor4D, summed))).dataSync()[0]).toBeLessThan(1e-6);
  });

  it('rejects tokens that have no grid of the proportions of the image', () => {
    const line = { ...context, inputShape: [1, 12, 6] as const };
    expect(() => pixelDecoder(line, createScope(1))).toThrow(/^pixelDecoder: the map 1×12×6 is a line; .*8×8 pixels/);
  });
});
