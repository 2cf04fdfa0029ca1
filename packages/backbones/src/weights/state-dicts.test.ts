import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { BackboneFactory, Shape3 } from '@localgrad/core';
import { createScope } from '@localgrad/nn/random';
import {
  activationFromPyTorch,
  readSafetensors,
  type StoredTensor,
  writeSafetensors,
} from '@localgrad/nn/serialization';
import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { denseNetBc } from '../densenet.js';
import { dglCnn, dniCnn } from '../dgl-networks.js';
import { deepLabV3, fcnResNet } from '../dilated-resnet.js';
import { imageNetResNet } from '../imagenet-resnet.js';
import { localLossVgg } from '../local-loss-vgg.js';
import { vgg } from '../vgg.js';
import { visionTransformer } from '../vision-transformer.js';
import { wideResNet } from '../wide-resnet.js';
import { loadWeights, pytorchFile, readBackbone } from './index.js';
import { largestDifference, scoresOf } from './weights.fixture.js';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

/** Files of `scripts/reference-weights.py`: a state dict with an `input` and its `logits`. */
function readReference(bytes: Uint8Array) {
  const { tensors } = readSafetensors(bytes);
  const take = (name: string): StoredTensor & { readonly data: Float32Array } => {
    const found = tensors.get(name);
    if (found === undefined || !(found.data instanceof Float32Array)) throw new Error(`no ${name}`);
    return { ...found, data: found.data };
  };
  const { shape, data } = activationFromPyTorch(take('input'));
  const [batch = 0, height = 0, width = 0, channels = 0] = shape;
  const state = new Map([...tensors].filter(([name]) => name !== 'input' && name !== 'logits'));
  return {
    state,
    inputShape: [height, width, channels] as Shape3,
    images: tf.tensor4d(data, [batch, height, width, channels]),
    logits: activationFromPyTorch(take('logits')).data,
    classes: take('logits').shape[1] ?? 0,
  };
}

const fixture = (name: string) =>
  readReference(readFileSync(new URL(`./fixtures/${name}.safetensors`, import.meta.url)));

const resnet18 = imageNetResNet({ depth: 18, layers: [1, 1, 1, 1], width: 4 });
const resnext50 = imageNetResNet({ depth: 50, layers: [1, 2, 1, 1], width: 4, groups: 2, widthPerGroup: 32 });
const vgg11 = (batchNorm: boolean) => vgg({ depth: 11, width: 2, hidden: 6, batchNorm });
const vit = visionTransformer({ width: 8, heads: 2, depth: 2, patch: 8 });

describe.each<[string, BackboneFactory]>([
  ['torchvision-resnet', resnet18],
  ['torchvision-resnext', resnext50],
  ['torchvision-fcn', fcnResNet({ depth: 50, width: 2, layers: [1, 1, 2, 2] })],
  ['torchvision-deeplabv3', deepLabV3({ depth: 50, width: 2, layers: [1, 1, 2, 2], rates: [2, 3] })],
  ['torchvision-vgg', vgg11(false)],
  ['torchvision-vgg-bn', vgg11(true)],
  ['torchvision-densenet', denseNetBc({ depth: 10, growth: 4 })],
  ['torchvision-vit', vit],
  ['timm-resnet', resnet18],
  ['timm-vgg', vgg11(false)],
  ['timm-vit', vit],
  ['wide-resnet', wideResNet({ depth: 10, widen: 1 })],
  ['dgl-cnn', dglCnn({ depth: 5, width: 2 })],
  ['dni-cnn', dniCnn({ width: 2 })],
  ['local-loss-vgg', localLossVgg({ depth: 8, width: 2, hidden: 6, activation: 'leakyRelu' })],
])('state dict of %s', (name, factory) => {
  it('loads, bare and in a wrapped model, and reproduces the scores', () => {
    const { state, inputShape, images, logits, classes } = fixture(name);
    for (const prefix of ['', 'module.model.']) {
      const backbone = factory.build({ inputShape, classes, scope: createScope(1) });
      const tensors = new Map([...state].map(([key, tensor]) => [prefix + key, tensor]));
      const loaded = loadWeights(backbone, writeSafetensors({ tensors, metadata: {} }), name);
      expect(loaded.layout).toBe('pytorch');
      expect(loaded.skipped).toEqual([]);
      expect(largestDifference(scoresOf(backbone, images), logits)).toBeLessThan(1e-5);
    }
  });
});

it.each([
  ['torchvision-resnet', 'resnet18', resnet18],
  ['torchvision-resnext', 'resnext50-2x32d', resnext50],
])('readBackbone infers the network of %s', (fixtureName, name, factory) => {
  const { state, inputShape, images, logits } = fixture(fixtureName);
  const bytes = writeSafetensors({ tensors: state, metadata: {} });
  const [height, width] = inputShape;
  const { backbone } = readBackbone(bytes, { scope: createScope(1), imageSize: [height, width] });
  expect(backbone.name).toBe(name);
  expect(backbone.config).toEqual(factory.config);
  expect(largestDifference(scoresOf(backbone, images), logits)).toBeLessThan(1e-5);
});

it.each(['torchvision-resnext', 'torchvision-vgg-bn', 'torchvision-densenet', 'timm-vit'])(
  'pytorchFile writes the names, shapes and values of %s',
  async (name) => {
    const factories: Record<string, BackboneFactory> = {
      'torchvision-resnext': resnext50,
      'torchvision-vgg-bn': vgg11(true),
      'timm-vit': vit,
      'torchvision-densenet': denseNetBc({ depth: 10, growth: 4 }),
    };
    const { state, inputShape, classes } = fixture(name);
    const backbone = factories[name]?.build({ inputShape, classes, scope: createScope(1) });
    if (backbone === undefined) throw new Error(name);
    loadWeights(backbone, writeSafetensors({ tensors: state, metadata: {} }), name);
    const written = readSafetensors(await pytorchFile(backbone)).tensors;
    const withoutCounters = (tensors: ReadonlyMap<string, StoredTensor>) =>
      new Map([...tensors].filter(([key]) => !key.endsWith('num_batches_tracked')));
    expect([...written.keys()].sort()).toEqual([...state.keys()].sort());
    expect(withoutCounters(written)).toEqual(withoutCounters(state));
  },
);

describe('networks at full width', () => {
  const folder = process.env.LOCALGRAD_REFERENCE_WEIGHTS;
  const file = (name: string) => join(folder ?? '', `${name}.safetensors`);

  it.each([18, 50])('ResNet-%i of torchvision has the same scores', { timeout: 600_000 }, async (depth) => {
    const name = `resnet${depth}`;
    if (folder === undefined || !existsSync(file(name))) {
      console.warn(
        `SKIPPED: ${name}: set LOCALGRAD_REFERENCE_WEIGHTS to the folder of scripts/reference-weights.py full`,
      );
      return;
    }
    const { state, images, logits } = readReference(readFileSync(file(name)));
    const bytes = writeSafetensors({ tensors: state, metadata: {} });
    const { backbone } = readBackbone(bytes, { scope: createScope(1) });
    expect(backbone.config).toEqual({ backbone: name });
    const difference = largestDifference(scoresOf(backbone, images), logits);
    console.warn(`${name}: largest difference ${difference}`);
    expect(difference).toBeLessThan(1e-4);
  });
});
