import { type Backbone, createNetwork, LocalgradError, type PartitionSpec, resolvePartition } from '@localgrad/core';
import { costOf, multiplyAccumulatesOf } from '@localgrad/nn/cost';
import { createScope } from '@localgrad/nn/random';
import { describe, expect, it } from 'vitest';
import { backboneFactory, cifarResNet, type PartitionTable, publishedPartition, tinyNet } from './index.js';

const build = (name: string) => {
  // Narrow versions of ImageNet's ResNets have the same blocks.
  const isImageNets = /^res(?:net(?:34|101|152)$|next)/.test(name);
  return backboneFactory(name, isImageNets ? { width: 8 } : {}).build({
    inputShape: [32, 32, 3],
    classes: 10,
    scope: createScope(1),
  });
};

describe('CIFAR ResNets', () => {
  it.each([
    ['resnet32', 466_906, 69.1e6, 16],
    ['resnet110', 1_730_714, 253.1e6, 55],
  ])('%s has the parameters and multiply-adds of docs/methods/networks.md §1', (name, parameters, macs, blocks) => {
    const backbone = build(name);
    const owners = [...backbone.blocks.map(({ block }) => block), backbone.classifier];
    const count = owners.flatMap((owner) => owner.parameters).reduce((sum, parameter) => sum + parameter.size, 0);
    expect(count).toBe(parameters);
    expect(owners.reduce((sum, owner) => sum + multiplyAccumulatesOf(owner), 0) / macs).toBeCloseTo(1, 2);
    expect(backbone.blocks).toHaveLength(blocks);
  });

  it('uses the parameter names of PyTorch', () => {
    const names = build('resnet8').blocks.flatMap(({ block }) => block.parameters.map(({ name }) => name));
    expect(names).toContain('conv1.weight');
    expect(names).toContain('layer2.0.downsample.0.weight');
    expect(names).toContain('layer3.0.bn2.bias');
  });

  it.each([
    [8, 3],
    [14, 6],
    [20, 9],
    [26, 12],
    [44, 21],
    [56, 27],
  ])('resnet%i has a stem and %i blocks with matching shapes', (depth, body) => {
    const { blocks, classifier } = build(`resnet${depth}`);
    expect(blocks).toHaveLength(body + 1);
    for (const [index, { block }] of blocks.slice(1).entries()) {
      expect(block.inputShape).toEqual(blocks[index]?.block.outputShape);
    }
    expect(blocks.at(-1)?.block.outputShape).toEqual([8, 8, 64]);
    expect(classifier.inputShape).toEqual([8, 8, 64]);
  });

  it('accepts any widths, image shape and number of classes', () => {
    const scope = createScope(1);
    const backbone = cifarResNet({ depth: 8, widths: [4, 4, 8, 16] }).build({
      inputShape: [17, 15, 1],
      classes: 7,
      scope,
    });
    expect(backbone.blocks.map(({ block }) => block.outputShape)).toEqual([
      [17, 15, 4],
      [17, 15, 4],
      [9, 8, 8],
      [5, 4, 16],
    ]);
    expect(scope.all().get('fc.weight')?.shape).toEqual([16, 7]);
    const doubled = cifarResNet({ depth: 8, width: 8 }).build({
      inputShape: [8, 8, 3],
      classes: 2,
      scope: createScope(1),
    });
    expect(doubled.blocks.map(({ block }) => block.outputShape[2])).toEqual([8, 8, 16, 32]);
  });

  it('are rebuilt from their config', () => {
    for (const factory of [
      backboneFactory('resnet20'),
      backboneFactory('resnet8', { width: 4 }),
      backboneFactory('resnet14', { widths: [4, 4, 8, 16] }),
      backboneFactory('tiny', { blocks: 5, width: 2 }),
    ]) {
      const { backbone, ...options } = JSON.parse(JSON.stringify(factory.config)) as { backbone: string };
      const again = backboneFactory(backbone, options);
      expect(again.config).toEqual(factory.config);
      const shapes = (of: typeof factory) =>
        of
          .build({ inputShape: [8, 8, 3], classes: 10, scope: createScope(1) })
          .blocks.flatMap(({ block }) => block.parameters.map(({ name, shape }) => [name, shape]));
      expect(shapes(again)).toEqual(shapes(factory));
    }
  });

  it('initializes equal weights for equal seeds, and different weights for different seeds', () => {
    const start = (seed: number) => {
      const scope = createScope(seed);
      tinyNet().build({ inputShape: [8, 8, 3], classes: 3, scope });
      return [...scope.all().values()].map(({ value }) => [...value.dataSync()]);
    };
    expect(start(1)).toEqual(start(1));
    expect(start(2)).not.toEqual(start(1));
  });

  it('lists the allowed depths, names and options', () => {
    expect(() => cifarResNet({ depth: 30 })).toThrow(/6n \+ 2/);
    expect(() => backboneFactory('resent32')).toThrow(/Did you mean 'resnet32'/);
    expect(() => tinyNet({ blocks: 0 })).toThrow(/1 to 8/);
    expect(() => cifarResNet({ depth: 8, wdith: 3 } as never)).toThrow(/Did you mean 'width'/);
    expect(() => cifarResNet({ depth: 8, width: 8, widths: [8, 8, 16, 32] })).toThrow(
      /'width' and 'widths' are mutually exclusive/,
    );
    expect(() => cifarResNet({ depth: 8, widths: [8, 8, 16] as never })).toThrow(
      /'widths' is \[8,8,16\].*three stages/,
    );
    expect(() => cifarResNet({ depth: 8, width: 0.5 })).toThrow(/positive integers/);
    expect(() => backboneFactory('resnet8', { blocks: 3 })).toThrow(/Unknown option of cifarResNet 'blocks'/);
    expect(() => backboneFactory('tiny', { widths: [1, 1, 1, 1] })).toThrow(/Unknown option of tinyNet 'widths'/);
  });
});

const ones = (count: number) => Array(count).fill(1).join();

describe('published partitions', () => {
  const networks = new Map<string, Backbone>();
  const network = (name: string) => {
    const found = networks.get(name) ?? build(name);
    networks.set(name, found);
    return found;
  };
  const sizes = (name: string, spec: PartitionSpec) => resolvePartition(network(name).blocks, spec);

  /**
   * Blocks per module without the stem, as listed in docs/methods/networks.md §2; 'stem' if it forms its own module.
   */
  it.each<[string, number, string, PartitionTable?]>([
    ['resnet32', 2, '7,8'],
    ['resnet32', 3, '5,5,5'],
    ['resnet32', 4, '3,4,4,4'],
    ['resnet32', 8, '1,2,2,2,2,2,2,2'],
    ['resnet32', 15, ones(15)],
    ['resnet32', 16, `stem,${ones(15)}`],
    ['resnet110', 2, '27,27'],
    ['resnet110', 3, '18,18,18'],
    ['resnet110', 4, '12,14,14,14'],
    ['resnet110', 8, '5,7,7,7,7,7,7,7'],
    ['resnet110', 16, '2,3,3,3,3,3,3,3,3,4,4,4,4,4,4,4'],
    ['resnet110', 32, '2,1,2,1,2,2,2,2,1,2,1,2,1,2,1,2,2,2,2,1,2,1,2,2,1,2,1,2,2,2,2,2'],
    ['resnet110', 54, ones(54)],
    ['resnet110', 55, `stem,${ones(54)}`],
    ['resnet110', 2, '15,39', 'infopro-balanced-cifar10'],
    ['resnet110', 3, '10,11,33', 'infopro-balanced-cifar10'],
    ['resnet110', 4, '7,8,12,27', 'infopro-balanced-cifar10'],
    ['resnet110', 2, '15,39', 'infopro-balanced-stl10'],
    ['resnet110', 3, '9,11,34', 'infopro-balanced-stl10'],
    ['resnet110', 4, '7,8,12,27', 'infopro-balanced-stl10'],
    ['resnet101', 2, '4,29'],
    ['resnet152', 2, '9,41'],
    ['resnext101-32x8d', 2, '6,27', 'infopro'],
    ['resnext101-32x8d', 2, '4,29', 'man'],
    ['resnet34', 17, `stem,${ones(16)}`],
    ['resnet34', 16, ones(16)],
    ['resnet101', 34, `stem,${ones(33)}`, 'auglocal'],
    ['resnet101', 33, ones(33), 'mlaan'],
    ['resnet152', 50, ones(50), 'mlaan'],
    ['resnet101', 4, '6,10,8,9', 'man++'],
    ['resnet152', 4, '10,15,12,13', 'man++'],
    ['resnet34', 4, '4,4,5,3'],
    ['resnet101', 4, '8,9,8,8', 'hpff'],
    ['resnet101', 8, '4,5,4,4,4,4,4,4'],
    ['vit-tiny', 4, '3,3,3,3'],
  ])('%s into %i modules: %s', (name, modules, printed, table?: PartitionTable) => {
    const [first, ...rest] = printed.split(',');
    const expected = [first === 'stem' ? 1 : Number(first) + 1, ...rest.map(Number)];
    expect(sizes(name, { lastBlocks: publishedPartition(name, modules, table) })).toEqual(expected);
  });

  it('match the even strategy, except for ResNet-110 into 32 modules, whose extra blocks are spread', () => {
    for (const [name, counts] of [
      ['resnet32', [2, 3, 4, 8, 15, 16]],
      ['resnet110', [2, 3, 4, 8, 16, 54, 55]],
    ] as const) {
      for (const modules of counts) {
        expect(sizes(name, { modules }), `${name} ${modules}`).toEqual(
          sizes(name, { lastBlocks: publishedPartition(name, modules) }),
        );
      }
    }
  });

  it('balances memory better than the even strategy', () => {
    const backbone = network('resnet110');
    const largest = (partition: readonly number[]) =>
      Math.max(
        ...createNetwork(backbone, partition).modules.map((module) =>
          module.blocks.reduce((sum, block) => sum + costOf(block).residualBytes(1), 0),
        ),
      );
    for (const modules of [2, 3, 4, 8]) {
      const balanced = resolvePartition(backbone.blocks, { modules, strategy: 'balanced-memory' });
      const even = resolvePartition(backbone.blocks, { modules });
      expect(largest(balanced)).toBeLessThan(largest(even));
      expect(balanced.reduce((sum, size) => sum + size, 0)).toBe(55);
    }
  });

  it('lists the available partitions and tables', () => {
    expect(() => publishedPartition('resnet32', 5)).toThrow(/resnet32 \(2, 3, 4, 8, 15, 16\)/);
    expect(() => publishedPartition('resnet8', 2)).toThrow(/resnet110 \(2, 3, 4, 8, 16, 32, 54, 55\)/);
    expect(() => publishedPartition('resnet101', 4)).toThrow(/tables man\+\+ and hpff have different partitions/);
    expect(() => publishedPartition('resnet34', 5, 'hpff')).toThrow(
      /Table 'hpff' has.*resnet34 \(4\); resnet101 \(4, 8\)/,
    );
    expect(() => publishedPartition('resnet32', 2, 'infopo' as PartitionTable)).toThrow(/Did you mean 'infopro'/);
    expect(() => sizes('resnet32', { modules: 17 })).toThrow(LocalgradError);
    expect(() => sizes('resnet32', { modules: 17 })).toThrow(/1 to 15.*or 16/);
    expect(() => sizes('resnet32', { sizes: [3, 4] })).toThrow(/16 blocks/);
    expect(() => sizes('resnet32', { lastBlocks: [[3, 9]] })).toThrow(/\(3,9\)/);
  });
});
