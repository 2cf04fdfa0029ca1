import { readFileSync } from 'node:fs';
import type { Backbone, BackboneFactory } from '@localgrad/core';
import { createScope } from '@localgrad/nn/random';
import { readSafetensors, type StoredTensor, writeSafetensors } from '@localgrad/nn/serialization';
import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { deepLabV3, fcnResNet } from '../dilated-resnet.js';
import { imageNetResNet } from '../imagenet-resnet.js';
import { vgg } from '../vgg.js';
import { backboneParameters } from './backbone-parameters.js';
import { loadWeights, weightsFile } from './index.js';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

type Tensors = ReadonlyMap<string, StoredTensor>;

/** A state dict of torchvision. */
function stateOf(name: string): Tensors {
  const bytes = readFileSync(new URL(`./fixtures/${name}.safetensors`, import.meta.url));
  return new Map([...readSafetensors(bytes).tensors].filter(([key]) => key !== 'input' && key !== 'logits'));
}

const fileOf = (tensors: Tensors) => writeSafetensors({ tensors, metadata: {} });
const build = (factory: BackboneFactory, classes: number, seed = 1) =>
  factory.build({ inputShape: [32, 32, 3], classes, scope: createScope(seed) });
const values = (backbone: Backbone) =>
  new Map([...backboneParameters(backbone)].map(([name, { value }]) => [name, [...value.dataSync()]]));

/** Names whose values differ. */
function changedBy(backbone: Backbone, act: () => void): string[] {
  const before = values(backbone);
  act();
  return [...values(backbone)].filter(([name, after]) => `${after}` !== `${before.get(name)}`).map(([name]) => name);
}

const layers = [1, 1, 2, 2] as const;
const fcn = fcnResNet({ depth: 50, width: 2, layers });
const resnet18 = imageNetResNet({ depth: 18, layers: [1, 1, 1, 1], width: 4 });

describe("loadWeights, part 'blocks'", () => {
  it('loads a classifier of other classes, except its last layer', () => {
    const backbone = build(resnet18, 7);
    const state = stateOf('torchvision-resnet');
    expect(() => loadWeights(backbone, fileOf(state))).toThrow(/'fc\.weight' has shape/);
    let loaded: ReturnType<typeof loadWeights> | undefined;
    const changed = changedBy(backbone, () => {
      loaded = loadWeights(backbone, fileOf(state), 'x', { part: 'blocks' });
    });
    expect(loaded).toMatchObject({ untouched: ['classifier'], skipped: ['fc.bias', 'fc.weight'] });
    expect(changed).toContain('layer4.0.conv2.weight');
    expect(changed.filter((name) => name.startsWith('fc.'))).toEqual([]);
    const whole = build(resnet18, state.get('fc.bias')?.shape[0] ?? 0, 2);
    loadWeights(whole, fileOf(state));
    for (const [name, value] of values(backbone)) {
      if (!name.startsWith('fc.')) expect(value, name).toEqual(values(whole).get(name));
    }
  });

  it.each(['', 'backbone.', 'model.net.'])(
    'loads a ResNet into networks for label maps, with the prefix "%s"',
    (prefix) => {
      const whole = build(fcn, 5);
      loadWeights(whole, fileOf(stateOf('torchvision-fcn')));
      const inner = [...stateOf('torchvision-fcn')].filter(([name]) => name.startsWith('backbone.'));
      const tensors: Tensors = new Map([
        ...inner.map(([name, tensor]) => [prefix + name.slice('backbone.'.length), tensor] as const),
        [`${prefix}fc.weight`, { dtype: 'F32', shape: [1, 1], data: new Float32Array(1) }],
      ]);
      const backbone = build(deepLabV3({ depth: 50, width: 2, layers, rates: [2, 3] }), 3);
      const { untouched } = loadWeights(backbone, fileOf(tensors), 'x', { part: 'blocks' });
      expect(untouched).toEqual(['aspp', 'classifier']);
      const found = values(backbone);
      for (const [name, value] of values(whole)) {
        if (name.startsWith('backbone.')) expect(found.get(name), name).toEqual(value);
      }
    },
  );

  it('rejects a file with the blocks twice, under either prefix', () => {
    const under = (...prefixes: readonly string[]): Tensors =>
      new Map(
        prefixes.flatMap((prefix) =>
          [...stateOf('torchvision-resnet')].map(([name, tensor]) => [prefix + name, tensor] as const),
        ),
      );
    const backbone = build(resnet18, 7);
    const load = (tensors: Tensors) => loadWeights(backbone, fileOf(tensors), 'x', { part: 'blocks' });
    expect(() => load(under('model.', 'ema.'))).toThrow(
      /contains the network 2 times, with the prefixes '(ema|model)\.' and '(ema|model)\.'/,
    );
    expect(load(under('model.'))).toMatchObject({ prefix: 'model.' });
  });

  it('loads what localgrad wrote', async () => {
    const trained = build(resnet18, 5, 3);
    const backbone = build(resnet18, 2);
    loadWeights(backbone, await weightsFile(trained), 'x', { part: 'blocks' });
    expect(values(backbone).get('conv1.weight')).toEqual(values(trained).get('conv1.weight'));
  });

  it('skips later layers whose names the network has for others', () => {
    const state = stateOf('torchvision-vgg');
    const backbone = build(vgg({ depth: 11, width: 2, hidden: 6, batchNorm: false }), 7);
    const { skipped } = loadWeights(backbone, fileOf(state), 'x', { part: 'blocks' });
    expect(skipped.every((name) => name.startsWith('classifier.'))).toBe(true);
  });

  it('rejects a deeper network, missing tensors, other shapes, and other networks', () => {
    const state = new Map(stateOf('torchvision-resnet'));
    const load = (tensors: Tensors) => loadWeights(build(resnet18, 5), fileOf(tensors), 'x', { part: 'blocks' });
    const conv = state.get('layer1.0.conv1.weight');
    if (conv === undefined) throw new Error('no convolution');
    expect(() => load(new Map([...state, ['layer1.1.conv1.weight', conv]]))).toThrow(/unexpected 'layer1\.1\.conv1/);
    expect(() => load(new Map([...state, ['conv1.weight', conv]]))).toThrow(/'conv1\.weight' has shape/);
    state.delete('bn1.bias');
    expect(() => load(state)).toThrow(/: missing 'bn1\.bias' \[4\]\.$/);
    const deeper = build(imageNetResNet({ depth: 18, layers: [2, 1, 1, 1], width: 4 }), 5);
    expect(() => loadWeights(deeper, fileOf(stateOf('torchvision-resnet')), 'x', { part: 'blocks' })).toThrow(
      /: missing 'layer1\.1\.conv1\.weight'/,
    );
    expect(() => load(stateOf('torchvision-vgg'))).toThrow(
      /does not contain the first two blocks of resnet18: conv1\.weight; bn1\.weight/,
    );
    expect(() => loadWeights(build(resnet18, 5), fileOf(state), 'x', { part: 'head' as never })).toThrow(
      /'part' is 'head'; allowed: network, blocks/,
    );
  });
});
