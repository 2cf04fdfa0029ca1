import { evaluationMode, type Mode, type Shape3, startOfTraining, trainingMode } from '@localgrad/core';
import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { blockHead } from '../heads/block-head.js';
import { softmaxCrossEntropy } from '../losses/softmax-cross-entropy.js';
import { noiseRandom } from '../random/noise.js';
import { createRandom } from '../random/random.js';
import { createScope } from '../random/scope.js';
import { checkBlock, checkCost, copy, randomTensor } from '../testing/check-block.js';
import { flatten, relu } from './activations.js';
import { dense } from './dense.js';
import { dropout, stochasticDepth } from './dropout.js';
import { sequential } from './sequential.js';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

const shape: Shape3 = [4, 4, 8];
const noisy = (step = 0, part = 0, seed = 3): Mode => ({ ...trainingMode, noise: { seed, step, part } });
const build = (per: 'element' | 'channel' | 'sample', name = 'drop', rate = 0.25) =>
  dropout({ name, scope: createScope(1).scope('head'), inputShape: shape, rate, per });
const ones = (batch = 40) => tf.ones([batch, ...shape]) as tf.Tensor4D;

describe.each(['element', 'channel', 'sample'] as const)('dropout per %s', (per) => {
  it('preserves the mean, and drops whole units', () => {
    const [x, block] = [ones(), build(per)];
    const draws = 40;
    let mean = 0;
    const seen = new Set<number>();
    for (let step = 0; step < draws; step++) {
      const { output } = block.forward(x, noisy(step));
      const values = Float32Array.from(output.dataSync());
      for (const value of values) seen.add(value);
      mean += values.reduce((sum, value) => sum + value, 0) / values.length / draws;
      const spread = { element: [], channel: [1, 2], sample: [1, 2, 3] }[per];
      if (spread.length > 0) {
        const ranges = tf.sub(tf.max(output, spread), tf.min(output, spread)).dataSync();
        expect(Math.max(...ranges)).toBe(0);
      }
      output.dispose();
    }
    expect(seen).toEqual(new Set([0, Math.fround(4 / 3)]));
    // Standard deviation of one mask entry: √(rate/(1 − rate)); tolerance: four standard errors of the mean.
    const entries = draws * 40 * { element: 128, channel: 8, sample: 1 }[per];
    expect(Math.abs(mean - 1)).toBeLessThan(4 * Math.sqrt(1 / 3 / entries));
  });

  it('computes the VJP with the mask determined by key and full name', () => {
    const block = build(per);
    const x = randomTensor([3, ...shape], createRandom(1)) as tf.Tensor4D;
    const dy = randomTensor([3, ...shape], createRandom(2)) as tf.Tensor4D;
    const before = tf.memory().numTensors;
    const pass = block.forward(x, noisy(5));
    const again = block.forward(x, { ...noisy(5), statisticsUpdates: 0 });
    expect(again.output.dataSync()).toEqual(pass.output.dataSync());
    const { input } = block.vjp(pass, copy(dy), { input: true, parameters: true, release: true });
    const mask = tf.tidy(() => block.forward(tf.onesLike(x), noisy(5)).output.dataSync());
    expect(input?.dataSync()).toEqual(tf.tidy(() => tf.mul(dy, tf.tensor4d(mask, dy.shape)).dataSync()));
    tf.dispose([pass.output, again.output, input ?? []]);
    expect(tf.memory().numTensors).toBe(before);
  });

  it('samples different masks for different steps, parts, seeds and names', () => {
    const x = ones(64);
    const draw = (mode: Mode, name?: string) => [...build(per, name).forward(x, mode).output.dataSync()].join();
    const drawn = [draw(noisy(0)), draw(noisy(1)), draw(noisy(0, 1)), draw(noisy(0, 0, 4)), draw(noisy(0), 'other')];
    expect(new Set(drawn).size).toBe(drawn.length);
  });

  it('is the identity in evaluation mode and without a noise key', () => {
    const block = build(per);
    const reference = (x: tf.Tensor4D) => tf.clone(x);
    checkBlock(block, reference);
    const x = randomTensor([2, ...shape], createRandom(1)) as tf.Tensor4D;
    expect(block.forward(x, { ...evaluationMode, noise: { seed: 1, step: 1, part: 0 } }).output.dataSync()).toEqual(
      x.dataSync(),
    );
  });

  it('predicts its bytes', () => {
    checkCost(build(per), 4, 0.02, noisy(1));
  });
});

describe('stochasticDepth', () => {
  it('drops samples, and uses its own noise in a replica', () => {
    const block = stochasticDepth({ name: 'depth', scope: createScope(1), inputShape: shape, rate: 0.5 });
    const x = ones(64);
    const kept = (one: typeof block) => [...tf.mean(one.forward(x, noisy(1)).output, [1, 2, 3]).dataSync()];
    expect(new Set(kept(block))).toEqual(new Set([0, 2]));
    expect(kept(block.replicate(createScope(1).scope('copy')))).not.toEqual(kept(block));
  });

  it('rejects rates outside of [0, 1)', () => {
    const options = { name: 'depth', scope: createScope(1), inputShape: shape };
    expect(() => stochasticDepth({ ...options, rate: 1 })).toThrow(/'rate' is 1; allowed: numbers in \[0, 1\)/);
    expect(() => dropout({ ...options, rate: 0.1, per: 'row' } as never)).toThrow(/'per' is 'row'/);
  });
});

describe('dropout within a head', () => {
  it('uses the same mask in every forward pass of a step, so that gradients match the loss', () => {
    const scope = createScope(2);
    const blocks = [
      flatten('flatten', [2, 2, 3]),
      dense({ name: 'fc1', scope, inputShape: [1, 1, 12], units: 8, layer: '1' }),
      relu('relu', [1, 1, 8]),
      dropout({ name: 'drop', scope, inputShape: [1, 1, 8], rate: 0.5 }),
      dense({ name: 'fc2', scope, inputShape: [1, 1, 8], units: 3, layer: '2' }),
    ];
    const head = blockHead({ name: 'noisy', blocks, loss: softmaxCrossEntropy });
    const h = randomTensor([6, 2, 2, 3], createRandom(1)) as tf.Tensor4D;
    const way = randomTensor([6, 2, 2, 3], createRandom(2)) as tf.Tensor4D;
    const targets = { labels: tf.tensor1d([0, 1, 2, 0, 1, 2], 'int32') };
    const evaluate = (x: tf.Tensor4D, step: number) =>
      head.evaluate(x, targets, { mode: noisy(step), weight: 1, input: true, clock: startOfTraining });
    const { input, loss } = evaluate(h, 4);
    const lossAt = (amount: number, step: number) =>
      evaluate(tf.add<tf.Tensor4D>(h, tf.mul(way, amount)), step).loss.dataSync()[0] ?? Number.NaN;
    const along = tf.sum(tf.mul(way, input ?? 0)).dataSync()[0] ?? Number.NaN;
    expect((lossAt(1e-3, 4) - lossAt(-1e-3, 4)) / 2e-3).toBeCloseTo(along, 2);
    expect(lossAt(0, 4)).toBe(loss.dataSync()[0]);
    expect(lossAt(0, 5)).not.toBe(loss.dataSync()[0]);
  });

  it('is active for blocks inside a sequential', () => {
    const block = sequential('s', [build('element', 'a'), build('element', 'b')]);
    const x = ones(2);
    const values = block.forward(x, noisy(1)).output.dataSync();
    const dropped = values.filter((value) => value === 0).length / values.length;
    expect(Math.abs(dropped - (1 - 0.75 ** 2))).toBeLessThan(0.1);
  });
});

it('noiseRandom depends only on seed, step, part and name', () => {
  const key = { seed: 1, step: 2, part: 3 };
  const draw = (one: typeof key, name = 'a') => noiseRandom(one, name).uniform();
  expect(draw(key)).toBe(draw({ ...key }));
  const others = [draw({ ...key, seed: 2 }), draw({ ...key, step: 1 }), draw({ ...key, part: 2 }), draw(key, 'b')];
  expect(new Set([draw(key), ...others]).size).toBe(5);
});
