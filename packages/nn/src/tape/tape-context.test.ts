import {
  evaluationMode,
  type Head,
  type Mode,
  recomputeMode,
  type Shape3,
  startOfTraining,
  trainingMode,
} from '@localgrad/core';
import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { constant, ones, zeros } from '../random/initializers.js';
import { createRandom } from '../random/random.js';
import { createScope } from '../random/scope.js';
import { copy, randomTensor } from '../testing/check-block.js';
import { tapeBlock } from './tape-block.js';
import { type TapeHeadOptions, tapeHead } from './tape-head.js';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

const shape: Shape3 = [2, 2, 3];
const input = () => randomTensor([4, ...shape], createRandom(7)) as tf.Tensor4D;
const noisy = (step: number): Mode => ({ ...trainingMode, noise: { seed: 1, step, part: 0 } });
const labels = () => tf.tensor1d([0, 1, 2, 1], 'int32');
const evaluate = (head: Head, h: tf.Tensor4D, mode: Mode, clock = startOfTraining) =>
  head.evaluate(h, { labels: labels() }, { mode, weight: 1, input: true, clock });
const value = (tensor: tf.Tensor | undefined) => tensor?.dataSync()[0] ?? Number.NaN;

describe('tapeHead', () => {
  const linear = (options: Partial<TapeHeadOptions> = {}) =>
    tapeHead({
      name: 'linear',
      scope: createScope(1).scope('heads'),
      inputShape: shape,
      parameters: [
        { name: 'weight', shape: [3, 3], initializer: constant(0.5) },
        { name: 'bias', shape: [3], initializer: zeros },
      ],
      fn: (h, targets, [weight, bias]) => {
        const scores = tf.add(tf.matMul(tf.mean<tf.Tensor2D>(h, [1, 2]), weight as tf.Tensor2D), bias as tf.Tensor);
        return tf.losses.softmaxCrossEntropy(tf.oneHot(targets.labels ?? [], 3), scores);
      },
      predict: (h, [weight]) => tf.matMul(tf.mean<tf.Tensor2D>(h, [1, 2]), weight as tf.Tensor2D),
      ...options,
    });

  it('creates declared parameters in its scope', () => {
    const head = linear();
    expect(head.parameters.map(({ name, kind, shape: extents }) => [name, kind, extents])).toEqual([
      ['heads.weight', 'weight', [3, 3]],
      ['heads.bias', 'weight', [3]],
    ]);
    expect([...evaluate(head, input(), trainingMode).parameters.keys()]).toEqual(head.parameters);
    const options = { name: 'x', inputShape: shape, fn: () => tf.scalar(0) };
    expect(() => tapeHead({ ...options, parameters: [{ name: 'w', shape: [1], initializer: ones }] })).toThrow(
      "tapeHead 'x': parameter 'w' is declared without a scope to create it in; add option 'scope'.",
    );
  });

  it('reports terms, detached and owned by the caller', () => {
    const head = linear({
      fn: (h, _targets, [weight]) => {
        const distance = tf.mean<tf.Scalar>(tf.square(h));
        const decay = tf.sum<tf.Scalar>(tf.square(weight as tf.Tensor));
        return { loss: tf.add(distance, decay), terms: { distance, decay } };
      },
    });
    const h = input();
    const batch = { labels: labels() };
    for (const mode of [trainingMode, evaluationMode]) {
      const before = tf.memory().numTensors;
      const result = head.evaluate(h, batch, { mode, weight: 2, input: true, clock: startOfTraining });
      expect([...(result.terms?.keys() ?? [])]).toEqual(['distance', 'decay']);
      expect(value(result.terms?.get('decay'))).toBeCloseTo(9 * 0.25, 6);
      expect(value(result.loss)).toBeCloseTo(value(result.terms?.get('distance')) + 9 * 0.25, 5);
      if (mode.training) expect(value(result.parameters.get(head.parameters[0] as never))).toBeCloseTo(2 * 2 * 0.5, 5);
      tf.dispose([result.loss, ...(result.terms?.values() ?? []), result.input ?? [], ...result.parameters.values()]);
      expect(tf.memory().numTensors).toBe(before);
    }
  });

  it('updates running statistics in training, and reads them in evaluation and repeated forward passes', () => {
    const seen: number[] = [];
    const head = linear({
      statistics: [{ name: 'mean', shape: [3], initializer: ones }],
      fn: (h, _targets, _parameters, { statistics: [mean], mode }) => {
        seen.push(value(mean));
        const batch = tf.mean<tf.Tensor1D>(h, [0, 1, 2]);
        const loss = tf.mean<tf.Scalar>(tf.square(tf.sub(h, mode.training ? batch : (mean as tf.Tensor))));
        return mode.training ? { loss, statistics: [batch] } : loss;
      },
    });
    const [running] = head.statistics;
    expect(running?.name).toBe('heads.mean');
    const h = input();
    const batch = tf.mean<tf.Tensor1D>(h, [0, 1, 2]).dataSync()[0] ?? Number.NaN;
    const before = tf.memory().numTensors;
    const run = (mode: Mode) => {
      const targets = { labels: labels() };
      const result = head.evaluate(h, targets, { mode, weight: 1, input: true, clock: startOfTraining });
      tf.dispose([targets.labels, result.loss, result.input ?? [], ...result.parameters.values()]);
    };
    run(trainingMode);
    expect(value(running?.value)).toBeCloseTo(0.9 + 0.1 * batch, 6);
    run(recomputeMode);
    run(evaluationMode);
    expect(value(running?.value)).toBeCloseTo(0.9 + 0.1 * batch, 6);
    run({ ...trainingMode, statisticsUpdates: 2 });
    expect(value(running?.value)).toBeCloseTo(0.9 ** 3 + (1 - 0.9 ** 3) * batch, 6);
    expect(seen[2]).toBeCloseTo(0.9 + 0.1 * batch, 6);
    expect(tf.memory().numTensors).toBe(before);
    const silent = linear({ statistics: [{ name: 'mean', shape: [3], initializer: ones }] });
    expect(() => evaluate(silent, h, trainingMode)).toThrow(/'linear': fn returned 0 statistics, but 1 are declared/);
  });

  it('receives the clock, and the same random numbers for the same key', () => {
    const head = linear({
      fn: (h, _targets, _parameters, { random, clock }) =>
        tf.mul(tf.mean<tf.Scalar>(h), (random?.uniform() ?? 1) * (1 + clock.fraction)),
    });
    const h = tf.ones([4, ...shape]) as tf.Tensor4D;
    const loss = (mode: Mode, fraction = 0) => value(evaluate(head, h, mode, { ...startOfTraining, fraction }).loss);
    expect(loss(noisy(1))).toBe(loss(noisy(1)));
    expect(loss(noisy(1), 1)).toBeCloseTo(2 * loss(noisy(1)), 6);
    expect(loss(noisy(1))).not.toBe(loss(noisy(2)));
    expect([loss(trainingMode), loss({ ...noisy(1), training: false })]).toEqual([1, 1]);
  });

  it('requires the targets it reads, including images', () => {
    const head = linear({
      reads: ['images'],
      fn: (h, { images }) => tf.losses.meanSquaredError(images ?? [], h),
    });
    expect(head.reads).toEqual(['images']);
    const h = input();
    const { loss } = head.evaluate(
      h,
      { images: h },
      { mode: trainingMode, weight: 1, input: true, clock: startOfTraining },
    );
    expect(value(loss)).toBe(0);
    expect(() => evaluate(head, h, trainingMode)).toThrow("no target 'images', which head 'linear' reads");
  });

  it('measures the accuracy of its predictions by default, or its own metrics', () => {
    const h = input();
    const targets = { labels: labels() };
    const before = tf.memory().numTensors;
    const classifier = linear();
    const metrics = classifier.measure?.(h, targets) ?? new Map<string, tf.Scalar>();
    expect([...metrics.keys()]).toEqual(['loss', 'accuracy']);
    const own = linear({
      scope: createScope(2),
      measure: (x) => ({ largest: tf.max<tf.Scalar>(x) }),
    }).measure?.(h, targets);
    expect([...(own?.keys() ?? [])]).toEqual(['loss', 'largest']);
    expect(value(own?.get('largest'))).toBe(Math.max(...h.dataSync()));
    // Two parameters for each of the two heads, and four metrics.
    expect(tf.memory().numTensors).toBe(before + 4 + 4);
  });

  it('names its main metric and its errors if its options do', () => {
    const named = linear({ mainMetric: 'largest', errorMetrics: ['largest'] });
    expect(named).toMatchObject({ mainMetric: 'largest', errorMetrics: ['largest'] });
    expect(linear({ scope: createScope(2) })).not.toHaveProperty('mainMetric');
  });

  it('rejects a loss that is not a scalar', () => {
    const head = linear({ fn: (h) => tf.mean(h, [1, 2, 3]) });
    expect(() => evaluate(head, input(), trainingMode)).toThrow(
      "tapeHead 'linear': fn returned a loss of shape 4; it must be a scalar, e.g. the mean over the batch.",
    );
  });
});

describe('tapeBlock', () => {
  const normalize = () =>
    tapeBlock({
      name: 'center',
      scope: createScope(1).scope('layer'),
      inputShape: shape,
      outputShape: shape,
      parameters: [{ name: 'scale', shape: [3], initializer: ones }],
      statistics: [{ name: 'mean', shape: [3], initializer: zeros }],
      statisticsMomentum: 0.5,
      fn: (x, [scale], { mode, random, statistics: [running] }) => {
        const batch = mode.training ? tf.mean(x, [0, 1, 2]) : (running as tf.Tensor);
        const noise = random === undefined ? 1 : 0.5 + random.uniform();
        const output = tf.mul<tf.Tensor4D>(tf.mul(tf.sub(x, batch), scale as tf.Tensor), noise);
        return { output, statistics: mode.training ? [batch] : [] };
      },
    });

  it('updates its statistics once per step, and uses the same noise in the backward pass', () => {
    const block = normalize();
    const [x, dy] = [input(), input()];
    const before = tf.memory().numTensors;
    const pass = block.forward(x, noisy(3));
    const mean = tf.tidy(() => value(tf.mean(x, [0, 1, 2])));
    expect(value(block.statistics[0]?.value)).toBeCloseTo(0.5 * mean, 6);
    const { input: dx, parameters } = block.vjp(pass, copy(dy), { input: true, parameters: true, release: true });
    expect(value(block.statistics[0]?.value)).toBeCloseTo(0.5 * mean, 6);
    // ∂/∂scale of Σ dy·output is Σ dy·output/scale, here with scale 1.
    const along = tf.tidy(() => tf.sum(tf.mul(dy, pass.output), [0, 1, 2]).dataSync());
    const found = parameters.get(block.parameters[0] as never)?.dataSync() ?? [];
    for (const [index, wanted] of along.entries()) expect(found[index]).toBeCloseTo(wanted, 5);
    tf.dispose([pass.output, dx ?? [], ...parameters.values()]);
    expect(tf.memory().numTensors).toBe(before);
  });

  it('uses its running statistics in evaluation mode', () => {
    const block = normalize();
    block.statistics[0]?.assign(tf.fill([3], 2));
    const x = input();
    const { output } = block.forward(x, evaluationMode);
    expect(value(output)).toBeCloseTo(value(x) - 2, 6);
    expect(value(block.statistics[0]?.value)).toBe(2);
  });
});
