import {
  type Block,
  evaluationMode,
  type Head,
  type HeadContext,
  type HeadRequest,
  startOfTraining,
  trainingMode,
} from '@localgrad/core';
import { MemoryMeter, registerTrainingKernels, stockKernels } from '@localgrad/kernels';
import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { relu } from '../blocks/index.js';
import { parallelSum } from '../blocks/parallel-sum.js';
import { basicBlock } from '../blocks/residual-blocks.js';
import { headCostOf, multiplyAccumulatesOf } from '../cost/cost-of.js';
import { pixelCrossEntropy } from '../losses/pixel-cross-entropy.js';
import { createRandom } from '../random/random.js';
import { createScope } from '../random/scope.js';
import { tapeHead } from '../tape/index.js';
import { perturb, randomTensor } from '../testing/check-block.js';
import { LiveBytes } from '../testing/live-bytes.js';
import { blockHead } from './block-head.js';
import { chainedHead } from './chained-head.js';
import { combinedHead } from './combined-head.js';
import { pixelDecoder } from './decoder.js';
import { headFactory } from './named-heads.js';
import { patchedHead } from './patched-head.js';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

const context: HeadContext = {
  module: 0,
  modules: 4,
  inputShape: [6, 6, 4],
  moduleInputShape: [8, 8, 3],
  finalShape: [3, 3, 8],
  classes: 5,
  imageShape: [8, 8, 3],
};
const classifier = (scope = createScope(1)) => headFactory('1c2f', { featureDimension: 6 }).build(context, scope);
const infoPro = () => {
  const scope = createScope(1);
  return combinedHead('decoder+1c2f', [
    { name: 'reconstruction', weight: 3, head: pixelDecoder(context, scope) },
    { name: 'classification', weight: 0.25, head: classifier(scope) },
  ]);
};
const leaping = () => {
  const scope = createScope(1);
  const inner = headFactory('0c2f', { featureDimension: 6 });
  const options = { name: 'c', inputShape: [6, 6, 4] as const, channels: 8, stride: 2 };
  const [first, second] = ['0', '1'].map((name) => basicBlock({ ...options, scope: scope.scope(name) }));
  const chain = parallelSum('sum', first as Block, second as Block);
  return chainedHead('leap+0c2f', chain, inner.build({ ...context, inputShape: chain.outputShape }, scope));
};
const patched = (share: boolean) => () =>
  patchedHead(context, createScope(1), {
    name: 'patched',
    patches: 2,
    share,
    reduction: share ? 'mean' : 'sum',
    build: (patch, scope) =>
      combinedHead('decoder+1c2f', [
        { name: 'reconstruction', weight: 3, head: pixelDecoder(patch, scope) },
        {
          name: 'classification',
          weight: 0.25,
          head: headFactory('1c2f', { featureDimension: 6 }).build(patch, scope),
        },
      ]),
  });
const contrast = () => headFactory('1c2f', { featureDimension: 6, loss: 'contrast' }).build(context, createScope(1));

const data = (batch = 16) => {
  const random = createRandom(5);
  const labels = Int32Array.from({ length: batch }, () => random.integer(5));
  const pixels = Float32Array.from({ length: batch * 8 * 8 * 3 }, () => random.uniform());
  return {
    h: randomTensor([batch, 6, 6, 4], random) as tf.Tensor4D,
    targets: { labels: tf.tensor1d(labels, 'int32'), images: tf.tensor4d(pixels, [batch, 8, 8, 3]) },
  };
};
const heads: [string, () => Head, string[]][] = [
  ['combined', infoPro, ['reconstruction', 'classification']],
  ['chained', leaping, []],
  ['contrastive', contrast, []],
  ['one network for all patches', patched(true), ['reconstruction', 'classification']],
  ['one network per patch', patched(false), ['reconstruction', 'classification']],
];

describe.each(heads)('%s', (_, build, termNames) => {
  const request: HeadRequest = { mode: trainingMode, weight: 0.5, input: true, clock: startOfTraining };

  it('returns the gradients of its loss with respect to input and weights, and leaks no tensors', () => {
    const head = build();
    perturb(head, createRandom(2));
    const { h, targets } = data();
    const before = tf.memory().numTensors;
    const result = head.evaluate(h, targets, request);
    expect(tf.memory().numTensors).toBe(before + 2 + termNames.length + head.parameters.length);
    expect([...(result.terms?.keys() ?? [])]).toEqual(termNames);
    const random = createRandom(9);
    const towards = (shape: readonly number[]) => randomTensor(shape, random);
    const inputDirection = towards(h.shape);
    const directions = head.parameters.map(({ shape }) => towards(shape));
    const dot = (a: tf.Tensor, b: tf.Tensor) => tf.tidy(() => tf.sum(tf.mul(a, b)).dataSync()[0] as number);
    const along =
      dot(inputDirection, result.input as tf.Tensor) +
      head.parameters.reduce(
        (sum, parameter, index) =>
          sum + dot(directions[index] as tf.Tensor, result.parameters.get(parameter) as tf.Tensor),
        0,
      );
    const start = head.parameters.map(({ value }) => value.clone());
    const lossAt = (amount: number) => {
      head.parameters.forEach((parameter, index) => {
        parameter.assign(
          tf.tidy(() => tf.add(start[index] as tf.Tensor, tf.mul(directions[index] as tf.Tensor, amount))),
        );
      });
      const moved = tf.tidy(() => tf.add<tf.Tensor4D>(h, tf.mul(inputDirection, amount)));
      return head.evaluate(moved, targets, { ...request, input: false }).loss.dataSync()[0] as number;
    };
    const errors = [1e-3, 3e-4, 1e-4].map((step) =>
      Math.abs((0.5 * (lossAt(step) - lossAt(-step))) / (2 * step) - along),
    );
    expect(Math.min(...errors)).toBeLessThan(2e-2 * Math.max(1, Math.abs(along)));
  });

  it('predicts its bytes', () => {
    const head = build();
    const { h, targets } = data();
    const meter = new LiveBytes();
    const unregister = registerTrainingKernels(meter.withoutTemporaries(stockKernels));
    const { peak } = meter.peakOf(() => head.evaluate(h, targets, request));
    unregister();
    meter.stop();
    const predicted = headCostOf(head).evaluatePeakBytes(16);
    expect(Math.abs(peak - predicted), `${peak} for ${predicted}`).toBeLessThan(0.08 * peak);
  });

  it('evaluates without gradients', () => {
    const head = build();
    const { h, targets } = data();
    const before = tf.memory().numTensors;
    const { loss, terms, input, parameters } = head.evaluate(h, targets, { ...request, mode: evaluationMode });
    expect([input, parameters.size]).toEqual([undefined, 0]);
    tf.dispose([loss, ...(terms?.values() ?? [])]);
    expect(tf.memory().numTensors).toBe(before);
  });
});

it('a combined head has the weighted sum of its terms as loss', () => {
  const { h, targets } = data();
  const { loss, terms } = infoPro().evaluate(h, targets, {
    mode: evaluationMode,
    weight: 7,
    input: false,
    clock: startOfTraining,
  });
  const value = (name: string) => terms?.get(name)?.dataSync()[0] as number;
  expect(loss.dataSync()[0]).toBeCloseTo(3 * value('reconstruction') + 0.25 * value('classification'), 4);
});

describe('heads made of one that is measured on the images', () => {
  /** A head without a declared cost, with one product of matrices. */
  const reader = ({ inputShape, imageShape }: HeadContext): Head =>
    tapeHead({
      name: 'reader',
      inputShape,
      reads: ['images'],
      fn: (h, { images }) => {
        expect(images?.shape.slice(1)).toEqual(imageShape);
        const colors = tf.mean(images ?? [], [1, 2]);
        return tf.mul<tf.Scalar>(tf.mean(h), tf.mean(tf.matMul(colors, tf.ones([3, 2]))));
      },
    });
  const products = 3 * 2;
  const chain = basicBlock({ name: 'c', scope: createScope(1), inputShape: [6, 6, 4], channels: 8, stride: 2 });
  const createTargets = (batchSize: number) => ({
    labels: tf.zeros<tf.Rank.R1>([batchSize], 'int32'),
    images: tf.zeros<tf.Rank.R4>([batchSize, ...context.imageShape]),
  });

  it.each<[string, () => Head, number]>([
    [
      'a chain',
      () => chainedHead('leap+reader', chain, reader({ ...context, inputShape: chain.outputShape })),
      multiplyAccumulatesOf(chain) + products,
    ],
    [
      'several losses',
      () =>
        combinedHead('reader+1c2f', [
          { name: 'reader', weight: 1, head: reader(context) },
          { name: 'classification', weight: 1, head: classifier() },
        ]),
      products + multiplyAccumulatesOf(classifier()),
    ],
    [
      'patches',
      () =>
        patchedHead(context, createScope(1), {
          name: 'patched',
          patches: 2,
          share: false,
          reduction: 'sum',
          build: reader,
        }),
      4 * products,
    ],
  ])('are measured as a whole: %s', (_, build, multiplyAccumulates) => {
    const head = build();
    const { h, targets } = data();
    const before = tf.memory().numTensors;
    const cost = headCostOf(head, createTargets);
    expect(cost.multiplyAccumulates).toBe(multiplyAccumulates);
    const predicted = cost.evaluatePeakBytes(16);
    expect(tf.memory().numTensors).toBe(before);
    const meter = new MemoryMeter();
    const { loss, terms, input, parameters } = head.evaluate(h, targets, request(trainingMode));
    const peak = meter.peakBytes;
    meter.detach();
    tf.dispose([loss, ...(terms?.values() ?? []), input as tf.Tensor, ...parameters.values()]);
    expect(Math.abs(predicted - peak), `${predicted} for ${peak}`).toBeLessThan(0.02 * peak);
  });
});

it('incompatible heads are rejected', () => {
  expect(() => combinedHead('none', [])).toThrow(/no terms/);
  expect(() => combinedHead('zero', [{ name: 'a', weight: 0, head: classifier() }])).toThrow(/'a' has weight 0/);
  const chain = basicBlock({ name: 'c', scope: createScope(1), inputShape: [6, 6, 4], channels: 8, stride: 2 });
  expect(() => chainedHead('bad', chain, classifier())).toThrow(/outputs 3×3×8, but head '1c2f' expects 6×6×4/);
  const other = headFactory('0c1f').build({ ...context, inputShape: [3, 3, 4] }, createScope(1));
  const terms = [classifier(), other].map((head, index) => ({ name: `t${index}`, weight: 1, head }));
  expect(() => combinedHead('both', terms)).toThrow(/6×6×4.*3×3×4/s);
});

it('options of XcYf heads are rejected for other heads', () => {
  expect(() => headFactory('dgl-cnn', { widen: 2 })).toThrow(/'widen'.*1c2f/s);
  expect(() => headFactory('1c2f', { temperature: 1 })).toThrow(/contrast/);
});

it('composed heads read the targets of their parts, and report their own loss with the metrics of the predicting part', () => {
  const head = infoPro();
  expect(head.reads).toEqual(['images', 'labels']);
  const chained = leaping();
  expect(chained.reads).toEqual(['labels']);
  const { h, targets } = data();
  for (const one of [head, chained]) {
    const before = tf.memory().numTensors;
    const metrics = one.measure?.(h, targets) ?? new Map<string, tf.Scalar>();
    expect([...metrics.keys()].sort()).toEqual(['accuracy', 'loss']);
    expect(tf.memory().numTensors).toBe(before + 2);
    const request = { mode: evaluationMode, weight: 1, input: false, clock: startOfTraining };
    const { loss, terms } = one.evaluate(h, targets, request);
    expect(metrics.get('loss')?.dataSync()).toEqual(loss.dataSync());
    tf.dispose([loss, ...metrics.values(), ...(terms?.values() ?? [])]);
  }
  expect(() => head.evaluate(h, { labels: targets.labels }, request(trainingMode))).toThrow(
    /no target 'images', which head 'decoder' reads/,
  );
});

const request = (mode: HeadRequest['mode']): HeadRequest => ({ mode, weight: 1, input: true, clock: startOfTraining });

it('combinedHead reports the sum of its losses for label maps, not the one of its prediction', () => {
  const inputShape = [2, 2, 3] as const;
  const mapHead = (name: string) => blockHead({ name, blocks: [relu(name, inputShape)], loss: pixelCrossEntropy() });
  const single = mapHead('first');
  const head = combinedHead('both', [
    { name: 'first', weight: 1, head: single },
    { name: 'second', weight: 2, head: mapHead('second') },
  ]);
  const h = tf.ones<tf.Rank.R4>([1, ...inputShape]);
  const targets = { masks: tf.zeros<tf.Rank.R3>([1, 2, 2], 'int32') };
  const measured = head.measure?.(h, targets) ?? new Map();
  const counts = new Map(
    [...measured].filter(([, { rank }]) => rank > 0).map(([name, sum]) => [name, Float64Array.from(sum.dataSync())]),
  );
  expect(single.summarize?.(counts)).toEqual({ loss: expect.closeTo(Math.log(3), 5), ...head.summarize?.(counts) });
  expect(head.summarize?.(counts)).toEqual({ accuracy: 1, meanAccuracy: 1, meanIoU: 1 });
  expect(measured.get('loss')?.dataSync()[0]).toBeCloseTo(3 * Math.log(3), 5);
});
