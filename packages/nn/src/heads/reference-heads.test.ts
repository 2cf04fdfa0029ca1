import { readFileSync } from 'node:fs';
import { type Head, type HeadContext, recomputeMode, type Shape3, startOfTraining } from '@localgrad/core';
import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { createScope } from '../random/scope.js';
import { activationFromPyTorch, weightFromPyTorch } from '../serialization/pytorch.js';
import { readSafetensors } from '../serialization/safetensors.js';
import { relativeError } from '../testing/check-block.js';
import { hpffImageNetDecoder, imageNetDecoder, pixelDecoder, segmentationDecoder } from './decoder.js';
import { headFactory } from './named-heads.js';
import { type PatchedHeadOptions, patchedHead } from './patched-head.js';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

/** A file of `scripts/reference-heads.py`. */
function reference(name: string) {
  const { tensors } = readSafetensors(readFileSync(new URL(`./fixtures/${name}.safetensors`, import.meta.url)));
  const values = (key: string) => {
    const tensor = tensors.get(key);
    if (!(tensor?.data instanceof Float32Array)) throw new Error(`no ${key}`);
    return { shape: tensor.shape, data: tensor.data };
  };
  const map = (key: string) => {
    const { shape, data } = activationFromPyTorch(values(key));
    const [batch = 0, height = 0, width = 0, channels = 0] = shape;
    return tf.tensor4d(data, [batch, height, width, channels]);
  };
  const labels = tensors.get('labels')?.data;
  const masks = tensors.get('masks');
  return {
    weight: (key: string) => weightFromPyTorch(values(key)).data,
    gradients: [...tensors.keys()].filter((key) => key.startsWith('gradient.')),
    h: map('h'),
    gradient: map('h.gradient'),
    loss: values('loss').data[0],
    targets: {
      ...(labels instanceof Int32Array ? { labels: tf.tensor1d(labels, 'int32') } : {}),
      ...(masks?.data instanceof Int32Array ? { masks: tf.tensor(masks.data, [...masks.shape], 'int32') } : {}),
      ...(tensors.has('images') ? { images: map('images') } : {}),
    },
  };
}

const contextOf = (inputShape: Shape3): HeadContext => ({
  module: 0,
  modules: 4,
  inputShape,
  moduleInputShape: inputShape,
  finalShape: [1, 1, 32],
  classes: 5,
  imageShape: [32, 32, 3],
});
const named = (name: string) => (context: HeadContext) => headFactory(name).build(context, createScope(1));
const decoder = (context: HeadContext) => imageNetDecoder(context, createScope(1));
const onQuarters = (build: PatchedHeadOptions['build']) => (context: HeadContext) =>
  patchedHead(context, createScope(1), { name: 'quarters', patches: 2, share: true, reduction: 'mean', build });
const hpffDecoder = (context: HeadContext) => hpffImageNetDecoder(context, createScope(1));

describe('heads of the papers', () => {
  it.each<[string, (context: HeadContext) => Head]>([
    ['imagenet-head-quarter', named('infopro-imagenet')],
    ['imagenet-head-half', named('infopro-imagenet')],
    ['imagenet-decoder-quarter', decoder],
    ['imagenet-decoder-half', decoder],
    ['hpff-imagenet-decoder-4', hpffDecoder],
    ['hpff-imagenet-decoder-8', hpffDecoder],
    ['hpff-imagenet-decoder-16', hpffDecoder],
    ['class-token', named('class-token')],
    ['dni-synthesizer', named('dni-synthesizer')],
    ['infopro-segmentation', named('infopro-segmentation')],
    ['mmsegmentation-fcn', named('mmsegmentation-fcn')],
    ['patched-head', onQuarters(headFactory('dni-synthesizer').build)],
    ['patched-decoder', onQuarters(pixelDecoder)],
  ])('%s has the loss and gradients of PyTorch', (name, create) => {
    const { weight, gradients, h, gradient, loss, targets } = reference(name);
    const head = create(contextOf([h.shape[1], h.shape[2], h.shape[3]]));
    expect(head.parameters.map((parameter) => `gradient.${parameter.name}`).sort()).toEqual(gradients.sort());
    for (const parameter of head.parameters) parameter.assign(tf.tensor(weight(parameter.name), [...parameter.shape]));
    const request = { mode: recomputeMode, weight: 1, input: true, clock: startOfTraining };
    const result = head.evaluate(h, targets, request);
    expect(result.loss.dataSync()[0]).toBeCloseTo(loss ?? Number.NaN, 5);
    expect(relativeError(result.input ?? h, gradient)).toBeLessThan(1e-4);
    // A bias before batch norm has no effect: its gradient is rounding.
    const scale = Math.max(...gradients.map((key) => Math.hypot(...weight(key))));
    for (const [parameter, found] of result.parameters) {
      const wanted = weight(`gradient.${parameter.name}`);
      const difference = found.dataSync().map((value, index) => value - (wanted[index] ?? Number.NaN));
      expect(Math.hypot(...difference) / scale, parameter.name).toBeLessThan(1e-5);
    }
  });

  it('have the published widths', () => {
    const sizes = (channels: number, create: (context: HeadContext) => Head) => {
      const context = { ...contextOf([4, 4, channels]), finalShape: [1, 1, 2048] as const };
      return create(context)
        .parameters.filter(({ shape }) => shape.length === 4)
        .map(({ shape }) => shape.join('×'));
    };
    expect(sizes(512, named('infopro-imagenet'))).toEqual([
      '1×1×512×128',
      '3×3×128×256',
      '3×3×256×512',
      '1×1×512×2048',
    ]);
    expect(sizes(1024, named('infopro-imagenet'))).toEqual([
      '1×1×1024×256',
      '3×3×256×256',
      '3×3×256×512',
      '1×1×512×2048',
    ]);
    expect(sizes(512, decoder)).toEqual(['1×1×512×128', '3×3×128×32', '3×3×32×12', '3×3×12×3']);
    expect(sizes(1024, decoder)).toEqual(['1×1×1024×192', '1×1×192×64', '3×3×64×32', '3×3×32×12', '3×3×12×3']);
  });

  it('HPFF’s decoder has the published widths for maps of 56, 28 and 14 of 224 pixels', () => {
    const sizes = (side: number) =>
      hpffDecoder({ ...contextOf([side, side, 1024]), finalShape: [1, 1, 2048], imageShape: [224, 224, 3] })
        .parameters.filter(({ shape }) => shape.length === 4)
        .map(({ shape }) => shape.join('×'));
    expect(sizes(56)).toEqual(['1×1×1024×128', '3×3×128×16', '3×3×16×3']);
    expect(sizes(28)).toEqual(['1×1×1024×128', '3×3×128×32', '3×3×32×16', '3×3×16×3']);
    expect(sizes(14)).toEqual(['1×1×1024×128', '3×3×128×64', '3×3×64×32', '3×3×32×16', '3×3×16×3']);
    expect(() => sizes(7)).toThrow(/module 0 outputs 7×7×1024 .* 1\/4, 1\/8 and 1\/16/);
  });

  it('InfoPro’s networks for label maps have the published widths for maps of an eighth of the image', () => {
    const sizes = (create: (context: HeadContext) => Head) =>
      create({ ...contextOf([4, 8, 1024]), classes: 19, imageShape: [32, 64, 3] })
        .parameters.filter(({ shape }) => shape.length === 4)
        .map(({ shape }) => shape.join('×'));
    expect(sizes(named('infopro-segmentation'))).toEqual(['3×3×1024×512', '1×1×512×19']);
    const decoder = (context: HeadContext) => segmentationDecoder(context, createScope(1));
    expect(sizes(decoder)).toEqual(['1×1×1024×128', '3×3×128×32', '3×3×32×12', '3×3×12×3']);
  });

  it('report modules that they do not fit', () => {
    const of = (inputShape: Shape3, name: string) => () => named(name)(contextOf(inputShape));
    expect(of([4, 4, 32], 'infopro-imagenet')).toThrow(/module 0 outputs 4×4×32; .* a quarter or half .* 32 /);
    expect(of([4, 4, 32], 'class-token')).toThrow(/reads tokens.*4×4×32/);
    expect(() => decoder(contextOf([4, 4, 32]))).toThrow(/imagenet-decoder: module 0/);
  });
});
