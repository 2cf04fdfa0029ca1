import {
  evaluationMode,
  type Head,
  type HeadContext,
  recomputeMode,
  startOfTraining,
  trainingMode,
} from '@localgrad/core';
import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { dropout } from '../blocks/dropout.js';
import { globalAveragePool } from '../blocks/global-average-pool.js';
import { softmaxCrossEntropy } from '../losses/softmax-cross-entropy.js';
import { createScope } from '../random/scope.js';
import { blockHead } from './block-head.js';
import { featureDecoder, pixelDecoder } from './decoder.js';
import { headFactory } from './named-heads.js';
import { type PatchedHeadOptions, patchedHead } from './patched-head.js';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

const context: HeadContext = {
  module: 1,
  modules: 4,
  inputShape: [5, 4, 2],
  moduleInputShape: [8, 8, 3],
  finalShape: [2, 2, 8],
  classes: 3,
  imageShape: [9, 8, 3],
};
const decoders: PatchedHeadOptions = {
  name: 'decoders',
  patches: 2,
  share: false,
  reduction: 'sum',
  build: pixelDecoder,
};
const request = { mode: recomputeMode, weight: 1, input: true, clock: startOfTraining };
const batch = () => ({
  h: tf.randomNormal<tf.Rank.R4>([3, 5, 4, 2], 0, 1, 'float32', 1),
  images: tf.randomUniform<tf.Rank.R4>([3, 9, 8, 3], 0, 1, 'float32', 2),
});
const scalarOf = (tensor: tf.Tensor | undefined) => tensor?.dataSync()[0] ?? Number.NaN;
const distance = (a: tf.Tensor, b: tf.Tensor) => tf.tidy(() => scalarOf(tf.max(tf.abs(tf.sub(a, b)))));

describe('one network per patch', () => {
  it('adds the losses of the patches, each on its part of map and image', () => {
    const { h, images } = batch();
    const head = patchedHead(context, createScope(1), decoders);
    const { loss, input } = head.evaluate(h, { images }, request);
    // Split at ⌊5/2⌋ and ⌊4/2⌋; the image at ⌊9/2⌋ and ⌊8/2⌋.
    const quadrants = [
      [0, 0, 2, 2, 0, 0, 4, 4],
      [0, 2, 2, 2, 0, 4, 4, 4],
      [2, 0, 3, 2, 4, 0, 5, 4],
      [2, 2, 3, 2, 4, 4, 5, 4],
    ] as const;
    const scope = createScope(1);
    let sum = 0;
    for (const [index, [top, left, height, width, y, x, rows, columns]] of quadrants.entries()) {
      const alone = pixelDecoder(
        { ...context, inputShape: [height, width, 2], imageShape: [rows, columns, 3] },
        scope.scope(`patch${index}`),
      );
      const part = tf.slice(h, [0, top, left, 0], [3, height, width, 2]);
      const target = tf.slice(images, [0, y, x, 0], [3, rows, columns, 3]);
      const own = alone.evaluate(part, { images: target }, request);
      sum += scalarOf(own.loss);
      const found = tf.slice(input ?? h, [0, top, left, 0], [3, height, width, 2]);
      expect(distance(found, own.input ?? part), `cotangent of quadrant ${index}`).toBeLessThan(1e-7);
    }
    expect(scalarOf(loss)).toBeCloseTo(sum, 5);
    const mean = patchedHead(context, createScope(1), { ...decoders, reduction: 'mean' });
    expect(scalarOf(mean.evaluate(h, { images }, request).loss)).toBeCloseTo(sum / 4, 5);
    expect(head.reads).toEqual(['images']);
    expect(head.parameters).toHaveLength(4 * 6);
  });

  it('reads all columns of a patch of one row', () => {
    const shapes = { inputShape: [3, 3, 2], imageShape: [12, 12, 3] } as const;
    const head = patchedHead({ ...context, ...shapes }, createScope(1), decoders);
    const h = tf.randomNormal<tf.Rank.R4>([3, 3, 3, 2], 0, 1, 'float32', 1);
    const images = tf.randomUniform<tf.Rank.R4>([3, 12, 12, 3], 0, 1, 'float32', 2);
    const { input } = head.evaluate(h, { images }, request);
    const gradients = tf.sum(tf.abs(input ?? h), [0, 3]);
    expect(tf.min(gradients).dataSync()[0]).toBeGreaterThan(0);
  });

  it('reads the same patch of the input of the module', () => {
    const { h, images: moduleInput } = batch();
    const features = { ...context, moduleInputShape: context.imageShape };
    const of = (x: tf.Tensor4D) => {
      const head = patchedHead(features, createScope(1), { ...decoders, build: featureDecoder });
      const { loss, parameters } = head.evaluate(h, { moduleInput: x }, request);
      return { loss: scalarOf(loss), gradients: [...parameters.values()], reads: head.reads };
    };
    const [before, after] = [
      of(moduleInput),
      of(
        tf.add(
          moduleInput,
          tf.pad(tf.ones([3, 4, 4, 3]), [
            [0, 0],
            [0, 5],
            [0, 4],
            [0, 0],
          ]),
        ),
      ),
    ];
    expect(before.reads).toEqual(['moduleInput']);
    expect(after.loss).not.toBe(before.loss);
    // Only the first patch has changed, and each patch has six parameters.
    const changed = before.gradients.map(
      (gradient, index) => distance(gradient, after.gradients[index] as tf.Tensor) > 0,
    );
    expect([changed.slice(0, 6).includes(true), changed.slice(6).includes(true)]).toEqual([true, false]);
  });

  it('counts the parts of targets that a patch has, label maps among them', () => {
    const peakOf = (reads: readonly string[]) => {
      const build: PatchedHeadOptions['build'] = (own, scope) => ({ ...pixelDecoder(own, scope), reads });
      return patchedHead(context, createScope(1), { ...decoders, build }).cost?.evaluatePeakBytes(3) ?? Number.NaN;
    };
    const [none, images, maps] = [['labels'], ['images'], ['labels', 'maps']].map(peakOf) as [number, number, number];
    // The last patch has 5 × 4 pixels of the image, in three colors.
    expect([images - none, maps - none]).toEqual([4 * 3 * 20 * 3, 4 * 3 * 20]);
  });

  it('reports maps with fewer rows than patches', () => {
    const small: HeadContext = { ...context, inputShape: [1, 4, 2] };
    expect(() => patchedHead(small, createScope(1), decoders)).toThrow(
      "Head 'decoders': 2×2 patches, but module 1 outputs 1×4×2; allowed: at most 1 per side.",
    );
  });
});

describe('one network for all patches', () => {
  const square: HeadContext = { ...context, inputShape: [6, 6, 2] };
  const classifier = (patches: number, factory = headFactory('1c2f', { featureDimension: 6 })) =>
    patchedHead(square, createScope(1), {
      name: 'patched',
      patches,
      share: true,
      reduction: 'mean',
      build: (patch, scope) => factory.build(patch, scope),
    });
  const data = () => ({
    h: tf.randomNormal<tf.Rank.R4>([5, 6, 6, 2], 0, 1, 'float32', 3),
    labels: tf.tensor1d([0, 2, 1, 1, 0], 'int32'),
  });
  const partsOf = (h: tf.Tensor4D, size: number) => {
    const starts = Array.from({ length: 6 / size }, (_, index) => index * size);
    return starts.flatMap((top) => starts.map((left) => tf.slice(h, [0, top, left, 0], [5, size, size, 2])));
  };

  it.each([1, 2, 3])('has the mean loss over %i×%i patches, and its gradients', (patches) => {
    const { h, labels } = data();
    const size = 6 / patches;
    const alone = headFactory('1c2f', { featureDimension: 6 }).build(
      { ...square, inputShape: [size, size, 2] },
      createScope(1),
    );
    const results = partsOf(h, size).map((part) => alone.evaluate(part, { labels }, request));
    const mean = (values: readonly tf.Tensor[]) => tf.div(tf.addN([...values]), patches ** 2);
    const head = classifier(patches);
    const found = head.evaluate(h, { labels }, request);
    expect(distance(found.loss, mean(results.map(({ loss }) => loss)))).toBeLessThan(1e-6);
    expect(head.parameters.map(({ name }) => name)).toEqual(alone.parameters.map(({ name }) => name));
    for (const [index, parameter] of head.parameters.entries()) {
      const own = alone.parameters[index] as typeof parameter;
      const wanted = mean(results.map(({ parameters }) => parameters.get(own) as tf.Tensor));
      expect(distance(found.parameters.get(parameter) as tf.Tensor, wanted), parameter.name).toBeLessThan(1e-6);
    }
    const inputs = partsOf(found.input as tf.Tensor4D, size);
    for (const [index, { input }] of results.entries()) {
      expect(distance(inputs[index] as tf.Tensor, tf.div(input as tf.Tensor, patches ** 2))).toBeLessThan(1e-7);
    }
  });

  it('predicts the mean of the scores, and reports their accuracy', () => {
    const { h, labels } = data();
    const head = classifier(2);
    const alone = headFactory('1c2f', { featureDimension: 6 }).build(
      { ...square, inputShape: [3, 3, 2] },
      createScope(1),
    );
    const scores = partsOf(h, 3).map((part) => alone.predict?.(part) as tf.Tensor2D);
    const wanted = tf.div<tf.Tensor2D>(tf.addN(scores), 4);
    const before = tf.memory().numTensors;
    const found = head.predict?.(h) as tf.Tensor2D;
    expect(distance(found, wanted)).toBeLessThan(1e-6);
    const metrics = head.measure?.(h, { labels });
    expect(tf.memory().numTensors).toBe(before + 3);
    const hits = [...wanted.argMax(1).dataSync()].filter((label, index) => label === labels.dataSync()[index]);
    expect(scalarOf(metrics?.get('accuracy'))).toBeCloseTo(hits.length / 5, 6);
    const { loss } = head.evaluate(h, { labels }, { ...request, mode: evaluationMode });
    expect(scalarOf(metrics?.get('loss'))).toBe(scalarOf(loss));
  });

  it('updates running statistics once per patch', () => {
    const { h, labels } = data();
    const [head, alone] = [
      classifier(2),
      headFactory('1c2f', { featureDimension: 6 }).build({ ...square, inputShape: [3, 3, 2] }, createScope(1)),
    ];
    head.evaluate(h, { labels }, { ...request, mode: trainingMode });
    for (const part of partsOf(h, 3)) alone.evaluate(part, { labels }, { ...request, mode: trainingMode });
    expect(head.statistics.length).toBeGreaterThan(0);
    for (const [index, statistic] of head.statistics.entries()) {
      expect(distance(statistic.value, alone.statistics[index]?.value as tf.Tensor)).toBeLessThan(1e-6);
    }
  });

  it('draws noise of its own for each patch, and the same again', () => {
    const dropped: tf.Tensor[] = [];
    const head = patchedHead(square, createScope(1), {
      name: 'patched',
      patches: 2,
      share: true,
      reduction: 'mean',
      build: ({ inputShape }, scope): Head => {
        const inner = blockHead({
          name: 'noisy',
          blocks: [dropout({ name: 'drop', scope, inputShape, rate: 0.5 }), globalAveragePool('pool', inputShape)],
          loss: softmaxCrossEntropy,
        });
        return {
          ...inner,
          evaluate: (h, targets, own) => {
            const result = inner.evaluate(h, targets, own);
            dropped.push(tf.notEqual(result.input as tf.Tensor, 0));
            return result;
          },
        };
      },
    });
    const [h, labels] = [tf.ones<tf.Rank.R4>([2, 6, 6, 2]), tf.tensor1d([0, 1], 'int32')];
    const mode = { ...trainingMode, noise: { seed: 1, step: 0, part: 0 } };
    const masks = (noise: typeof mode) => {
      dropped.length = 0;
      head.evaluate(h, { labels }, { ...request, mode: noise });
      return dropped.map((mask) => mask.dataSync().join(''));
    };
    const first = masks(mode);
    expect(masks(mode)).toEqual(first);
    const second = masks({ ...mode, noise: { ...mode.noise, part: 1 } });
    expect(new Set([...first, ...second]).size).toBe(8);
  });

  it('reports maps that do not divide into equal patches, with the numbers that do', () => {
    expect(() => classifier(4)).toThrow(
      "Head 'patched': 4×4 patches of one network must be of equal size, but the map 6×6×2 is not divisible into them; allowed at module 1: 1, 2, 3, 6 patches per side.",
    );
    const images = { ...square, imageShape: [9, 8, 3] as const };
    expect(() => patchedHead(images, createScope(1), { ...decoders, share: true })).toThrow(
      /the image 9×8×3 is not divisible.*allowed at module 1: 1 patches/,
    );
  });
});
