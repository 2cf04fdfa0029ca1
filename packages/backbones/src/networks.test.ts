import { createNetwork, type ParameterScope, resolvePartition, type Shape3 } from '@localgrad/core';
import { multiplyAccumulatesOf } from '@localgrad/nn/cost';
import { createScope } from '@localgrad/nn/random';
import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { backboneFactory, backboneNames, type NamedBackboneOptions, namedBackbones } from './index.js';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

/** A scope whose weights are zeros, because sampling those of large networks takes long. */
function unfilled(scope: ParameterScope): ParameterScope {
  return {
    prefix: scope.prefix,
    scope: (name) => unfilled(scope.scope(name)),
    parameter: (name, shape, _initializer, kind) =>
      scope.parameter(name, shape, (sizes) => new Float32Array(sizes.reduce((a, b) => a * b, 1)), kind),
  };
}

function measure(name: string, inputShape: Shape3, classes: number, options: NamedBackboneOptions = {}) {
  const root = createScope(1);
  const backbone = backboneFactory(name, options).build({ inputShape, classes, scope: unfilled(root) });
  const owners = [...backbone.blocks.map(({ block }) => block), backbone.classifier];
  const weights = owners.flatMap(({ parameters }) => parameters).reduce((sum, { size }) => sum + size, 0);
  const macs = owners.reduce((sum, owner) => sum + multiplyAccumulatesOf(owner), 0);
  for (const parameter of root.all().values()) parameter.dispose();
  return { backbone, weights, macs };
}

const imageNet: Shape3 = [224, 224, 3];
const cifar: Shape3 = [32, 32, 3];

describe('networks', () => {
  /** Weights of torchvision 0.29 and timm 1.0 (ViT-T, -S), of the papers' code for the small ones. */
  it.each<[string, NamedBackboneOptions, Shape3, number, number, number, number]>([
    ['resnet18', {}, imageNet, 1000, 11_689_512, 1.81, 9],
    ['resnet34', {}, imageNet, 1000, 21_797_672, 3.66, 17],
    ['resnet50', {}, imageNet, 1000, 25_557_032, 4.09, 17],
    ['resnet101', {}, imageNet, 1000, 44_549_160, 7.8, 34],
    ['resnet152', {}, imageNet, 1000, 60_192_808, 11.51, 51],
    ['resnext50-32x4d', {}, imageNet, 1000, 25_028_904, 4.23, 17],
    ['resnext101-32x8d', {}, imageNet, 1000, 88_791_336, 16.41, 34],
    ['vgg13', {}, imageNet, 1000, 133_047_848, 11.31, 10],
    ['vgg19', {}, imageNet, 1000, 143_667_240, 19.63, 16],
    ['vgg13', { batchNorm: true }, imageNet, 1000, 133_053_736, 11.31, 10],
    ['vgg19', { batchNorm: true }, imageNet, 1000, 143_678_248, 19.63, 16],
    ['vit-tiny', {}, imageNet, 1000, 5_717_416, 1.26, 13],
    ['vit-small', {}, imageNet, 1000, 22_050_664, 4.61, 13],
    ['vit-base', {}, imageNet, 1000, 86_567_656, 17.58, 13],
    ['wide-resnet-28-10', {}, cifar, 10, 36_479_194, 5.25, 13],
    ['densenet-bc-100-12', {}, cifar, 10, 769_162, 0.29, 51],
  ])('%s %o has the published weights and multiply-adds', (name, options, shape, classes, weights, giga, blocks) => {
    const measured = measure(name, shape, classes, options);
    expect(measured.weights).toBe(weights);
    expect(measured.macs / 1e9 / giga).toBeCloseTo(1, 1.7);
    expect(measured.backbone.blocks).toHaveLength(blocks);
  });

  it.each([
    ['vgg8b', [128, 256, 256, 512, 512, 512], 6],
    ['vgg11b', [128, 128, 128, 256, 256, 512, 512, 512, 512], 9],
  ] as const)('%s has the convolutions of the paper, a hidden layer and an output', (name, channels, convolutions) => {
    const { backbone, weights } = measure(name, cifar, 10);
    const shapes = backbone.blocks.map(({ block }) => block.outputShape);
    expect(shapes.slice(0, convolutions).map(([, , count]) => count)).toEqual(channels);
    // The hidden layer, which has a local loss, and its dropout, which is in the output layer's module.
    expect(shapes.slice(convolutions)).toEqual([
      [1, 1, 1024],
      [1, 1, 1024],
    ]);
    const layers = channels.map((count, index) => 9 * count * (channels[index - 1] ?? 3) + 3 * count);
    const dense = 512 * 2 * 2 * 1024 + 3 * 1024 + 1024 * 10 + 10;
    expect(weights).toBe(layers.reduce((sum, size) => sum + size, dense));
  });

  it('the networks of DGL have the convolutions of its logs', () => {
    // The printed networks of parallel.log and dgl.log: convolutions and dense layers with bias, and batch norms.
    const layers = (pairs: readonly (readonly [inputs: number, outputs: number])[], kernel: number, norm = true) =>
      pairs.reduce((sum, [inputs, outputs]) => sum + (kernel * kernel * inputs + (norm ? 3 : 1)) * outputs, 0);
    const curves = measure('cnn', cifar, 10);
    expect(curves.weights).toBe(
      layers(
        [
          [3, 64],
          [64, 128],
          [128, 128],
          [128, 256],
        ],
        3,
      ) +
        layers(
          [
            [1024, 1024],
            [1024, 1024],
          ],
          1,
        ) +
        layers([[1024, 10]], 1, false),
    );
    expect(curves.backbone.blocks.map(({ block }) => block.outputShape)).toEqual([
      [32, 32, 64],
      [16, 16, 128],
      [16, 16, 128],
      [8, 8, 256],
    ]);
    const study = measure('cnn', cifar, 10, { depth: 6, width: 128 }).backbone.blocks;
    expect(study.map(({ block }) => block.outputShape[2])).toEqual([128, 256, 256, 512, 512, 512]);
    expect(study.map(({ reference }) => reference)).toEqual([
      [0, 0],
      [1, 0],
      [1, 1],
      [2, 0],
      [2, 1],
      [2, 2],
    ]);
    const compared = measure('dni-cnn', cifar, 10);
    expect(compared.weights).toBe(
      layers(
        [
          [3, 128],
          [128, 128],
          [128, 128],
        ],
        5,
      ) + layers([[128, 10]], 1, false),
    );
    expect(compared.backbone.blocks.map(({ block }) => block.outputShape[0])).toEqual([10, 3, 1, 1]);
  });

  it('VGG8b starts with a 7×7 convolution of stride 2 for images over 64 pixels', () => {
    const { backbone } = measure('vgg8b', [96, 96, 3], 10, { width: 2, hidden: 4 });
    expect(backbone.blocks[0]?.block.parameters[0]?.shape).toEqual([7, 7, 3, 2]);
    expect(backbone.blocks[0]?.block.outputShape).toEqual([48, 48, 2]);
  });

  it.each<[string, NamedBackboneOptions]>([
    ['resnet34', { width: 4, zeroInitialize: true }],
    ['resnet50', { width: 4, layers: [1, 1, 1, 1] }],
    ['resnext50-32x4d', { width: 32, layers: [1, 1, 1, 1] }],
    ['cifar-resnet50', { width: 2 }],
    ['vgg11', { width: 2, hidden: 4, batchNorm: true, dropout: 0 }],
    ['vgg8b', { width: 2, hidden: 4, activation: 'leakyRelu', dropout: 0.2, zeroOutput: true }],
    ['cnn', { depth: 6, width: 2 }],
    ['dni-cnn', { width: 2 }],
    ['wide-resnet-10-1', { dropout: 0.3 }],
    ['densenet-bc-10-4', {}],
    ['vit-tiny', { depth: 1, patch: 8, patchNorm: true }],
    ['vit', { width: 8, heads: 2, depth: 1, patch: 8 }],
  ])('%s %o is rebuilt from its config', (name, options) => {
    const factory = backboneFactory(name, options);
    const { backbone, ...rest } = JSON.parse(JSON.stringify(factory.config)) as { backbone: string };
    expect(backbone).toBe(name);
    const again = backboneFactory(backbone, rest);
    expect(again.config).toEqual(factory.config);
    const parameters = (of: typeof factory) =>
      of
        .build({ inputShape: cifar, classes: 3, scope: createScope(1) })
        .blocks.flatMap(({ block }) => block.parameters.map((parameter) => [parameter.name, parameter.shape]));
    expect(parameters(again)).toEqual(parameters(factory));
  });

  it.each<[string, NamedBackboneOptions, number]>([
    ['vgg11', { width: 2, hidden: 4 }, 32],
    ['vgg8b', { width: 2, hidden: 4 }, 16],
    ['densenet-bc-10-4', {}, 4],
    ['cnn', { width: 2 }, 4],
    ['cnn', { width: 2, depth: 2 }, 2],
    ['dni-cnn', { width: 2 }, 27],
  ])('%s %o names the smallest images that it can read', (name, options, smallest) => {
    const build = (side: number) =>
      backboneFactory(name, options).build({ inputShape: [side, 40, 3], classes: 2, scope: createScope(1) });
    expect(build(smallest).blocks.length).toBeGreaterThan(0);
    expect(() => build(smallest - 1)).toThrow(
      `Backbone '${name}' is for images of at least ${smallest}×${smallest} pixels; these are ${smallest - 1}×40×3.`,
    );
  });

  it('zero-initialized residual blocks start with a last scale of 0', () => {
    const scope = createScope(1);
    const factory = backboneFactory('resnet18', { width: 2, zeroInitialize: true });
    factory.build({ inputShape: cifar, classes: 3, scope });
    const scales = (name: string) => [...(scope.all().get(name)?.value.dataSync() ?? [])];
    expect(scales('layer1.0.bn2.weight')).toEqual([0, 0]);
    expect(scales('layer1.0.bn1.weight')).toEqual([1, 1]);
  });

  it('copies of composite blocks keep the parameter names below their scope', () => {
    for (const [name, index] of [
      ['resnet18', 0],
      ['vgg11', 1],
      ['wide-resnet-10-1', 2],
      ['densenet-bc-10-4', 1],
      ['vit', 1],
    ] as const) {
      const options = name === 'vit' ? { width: 8, heads: 2, patch: 8 } : {};
      const { blocks } = backboneFactory(name, options).build({
        inputShape: cifar,
        classes: 3,
        scope: unfilled(createScope(1)),
      });
      const block = blocks[index]?.block;
      const copy = block?.replicate(unfilled(createScope(2)).scope('copy'));
      copy?.parameters.forEach(({ name: copied }, position) => {
        const original = block?.parameters[position]?.name ?? '';
        expect(`.${original}`.endsWith(copied.replace(/^copy/, '')), `${copied} of ${original}`).toBe(true);
      });
      expect(copy?.parameters).toHaveLength(block?.parameters.length ?? 0);
    }
  });
});

describe('names', () => {
  it('belong to one family each, and build a backbone of that name', () => {
    expect(new Set(backboneNames).size).toBe(backboneNames.length);
    for (const { names, pattern } of namedBackbones) {
      for (const name of names) {
        expect(name).toMatch(pattern);
        const options = name === 'vit' ? { width: 8, heads: 2 } : {};
        expect(backboneFactory(name, options).name).toBe(name);
      }
    }
  });

  it('resnet50 and resnet152 are ImageNet’s; CIFAR’s have the prefix cifar-', () => {
    expect(backboneFactory('resnet50').config).toEqual({ backbone: 'resnet50' });
    expect(backboneFactory('cifar-resnet152').name).toBe('cifar-resnet152');
    expect(backboneFactory('cifar-resnet32').name).toBe('resnet32');
  });

  it.each<[string, NamedBackboneOptions, RegExp]>([
    ['resnet18', { depth: 3 }, /Unknown option of imageNetResNet 'depth'/],
    ['resnext18-32x4d', {}, /'groups' is 32; allowed: 1, since ResNet-18 has BasicBlocks/],
    ['resnext101-32x8d', { width: 4 }, /at least 8, so that a group has a channel/],
    ['resnext77-32x4d', {}, /'depth' is 77; allowed: 18, 34, 50, 101, 152/],
    ['resnet50', { layers: [1, 1, 0, 1] }, /four positive integers/],
    ['vgg12', {}, /'depth' is 12; allowed: 11, 13, 16, 19/],
    ['vgg13', { dropout: 1 }, /numbers in \[0, 1\)/],
    ['vgg9b', {}, /'depth' is 9; allowed: 8, 11/],
    ['densenet-bc-99-12', {}, /6n \+ 4/],
    ['wide-resnet-27-10', {}, /6n \+ 4/],
    ['wide-resnet-28-0', {}, /'widen' is 0; allowed: integers from 1 to 128/],
    ['vit', { width: 8 }, /requires the options width and heads/],
    ['vit', { width: 8, heads: 3 }, /divisors of the width, 8/],
    ['vit-tiny', { width: 8 }, /Unknown option of visionTransformer 'width'/],
    ['vgg13b', { width: 0 }, /allowed: 8, 11/],
    ['vit-tny', {}, /Did you mean 'vit-tiny'/],
  ])('%s with options %o is rejected', (name, options, message) => {
    expect(() => backboneFactory(name, options)).toThrow(message);
  });

  it('vision transformers reject images that patches do not fill', () => {
    const factory = backboneFactory('vit-tiny', { depth: 1 });
    expect(() => factory.build({ inputShape: [30, 32, 3], classes: 3, scope: createScope(1) })).toThrow(
      /patches of 16×16 do not fill images of 30×32/,
    );
  });
});

it('every network can be cut into one module per block', () => {
  for (const name of ['resnet18', 'vgg13', 'densenet-bc-10-4', 'wide-resnet-10-1', 'vgg8b']) {
    const { blocks, ...backbone } = backboneFactory(name).build({
      inputShape: cifar,
      classes: 3,
      scope: unfilled(createScope(1)),
    });
    const partition = resolvePartition(blocks, { modules: blocks.length });
    expect(createNetwork({ ...backbone, blocks }, partition).modules).toHaveLength(blocks.length);
  }
});
