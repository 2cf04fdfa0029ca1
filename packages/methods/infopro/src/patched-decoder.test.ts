import { type HeadContext, recomputeMode, startOfTraining } from '@localgrad/core';
import { featureDecoder, pixelDecoder } from '@localgrad/nn/heads';
import { createScope } from '@localgrad/nn/random';
import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { type PatchedDecoderOptions, patchedDecoder, type Reconstruction } from './patched-decoder.js';

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
const patched: PatchedDecoderOptions = {
  widen: 1,
  patches: 2,
  reduction: 'sum',
  reconstruction: { target: 'images', decoder: pixelDecoder },
};
const request = { mode: recomputeMode, weight: 1, input: true, clock: startOfTraining };
const batch = () => ({
  h: tf.randomNormal<tf.Rank.R4>([3, 5, 4, 2], 0, 1, 'float32', 1),
  images: tf.randomUniform<tf.Rank.R4>([3, 9, 8, 3], 0, 1, 'float32', 2),
});
const scalarOf = (tensor: tf.Tensor | undefined) => tensor?.dataSync()[0] ?? Number.NaN;

describe('patchedDecoder', () => {
  it('adds the losses of one decoder per quadrant, each on its part of map and image', () => {
    const { h, images } = batch();
    const head = patchedDecoder(context, createScope(1), patched);
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
      const difference = tf.max(tf.abs(tf.sub(found, own.input ?? part)));
      expect(scalarOf(difference), `cotangent of quadrant ${index}`).toBeLessThan(1e-7);
    }
    expect(scalarOf(loss)).toBeCloseTo(sum, 5);
    const mean = patchedDecoder(context, createScope(1), { ...patched, reduction: 'mean' });
    expect(scalarOf(mean.evaluate(h, { images }, request).loss)).toBeCloseTo(sum / 4, 5);
  });

  it('reconstructs patches of the input of the module', () => {
    const { h, images: moduleInput } = batch();
    const features = { ...context, moduleInputShape: context.imageShape };
    const reconstruction: Reconstruction = { target: 'moduleInput', decoder: featureDecoder };
    const head = patchedDecoder(features, createScope(1), { ...patched, reconstruction });
    const { terms } = head.evaluate(h, { moduleInput }, request);
    const shapes = { inputShape: [2, 2, 2], moduleInputShape: [4, 4, 3] } as const;
    const alone = featureDecoder({ ...context, ...shapes }, createScope(1).scope('patch0'));
    const part = tf.slice(h, [0, 0, 0, 0], [3, 2, 2, 2]);
    const target = tf.slice(moduleInput, [0, 0, 0, 0], [3, 4, 4, 3]);
    const { loss } = alone.evaluate(part, { moduleInput: target }, request);
    expect(scalarOf(terms?.get('patch0'))).toBeCloseTo(scalarOf(loss), 6);
    expect(head.reads).toEqual(['moduleInput']);
  });

  it('leaks no tensors, and reads images', () => {
    const { h, images } = batch();
    const head = patchedDecoder(context, createScope(1), patched);
    const before = tf.memory().numTensors;
    const { loss, terms, input, parameters } = head.evaluate(h, { images }, request);
    tf.dispose([loss, ...(terms?.values() ?? []), ...(input === undefined ? [] : [input]), ...parameters.values()]);
    expect(tf.memory().numTensors).toBe(before);
    expect(head.reads).toEqual(['images']);
    expect(head.parameters).toHaveLength(4 * 6);
    expect(head.cost?.evaluatePeakBytes(2)).toBeGreaterThan(0);
  });

  it('reports maps with fewer rows than patches', () => {
    const small: HeadContext = { ...context, inputShape: [1, 4, 2] };
    expect(() => patchedDecoder(small, createScope(1), patched)).toThrow(
      /patches 2 needs feature maps of at least 2×2, but module 1 outputs 1×4×2/,
    );
  });
});
