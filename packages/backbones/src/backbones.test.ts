import { createNetwork, LocalgradError, type PartitionSpec, resolvePartition } from '@localgrad/core';
import { createScope } from '@localgrad/nn';
import { describe, expect, it } from 'vitest';
import { backboneFactory, cifarResNet, publishedPartition, tinyNet } from './index.js';

const build = (name: string) =>
  backboneFactory(name).build({ inputShape: [32, 32, 3], classes: 10, scope: createScope(1) });

describe('CIFAR ResNets', () => {
  it.each([
    ['resnet32', 466_906, 69.1e6, 16],
    ['resnet110', 1_730_714, 253.1e6, 55],
  ])('%s has the parameters and multiply-adds of methods.md §1.2', (name, parameters, macs, blocks) => {
    const backbone = build(name);
    const owners = [...backbone.blocks.map(({ block }) => block), backbone.classifier];
    const count = owners.flatMap((owner) => owner.parameters).reduce((sum, parameter) => sum + parameter.size, 0);
    expect(count).toBe(parameters);
    expect(owners.reduce((sum, owner) => sum + owner.cost.multiplyAccumulates, 0) / macs).toBeCloseTo(1, 2);
    expect(backbone.blocks).toHaveLength(blocks);
  });

  it('names parameters as PyTorch does', () => {
    const names = build('resnet8').blocks.flatMap(({ block }) => block.parameters.map(({ name }) => name));
    expect(names).toContain('conv1.weight');
    expect(names).toContain('layer2.0.downsample.0.weight');
    expect(names).toContain('layer3.0.bn2.bias');
  });

  it('says which depths and names there are', () => {
    expect(() => cifarResNet({ depth: 30 })).toThrow(/6n \+ 2/);
    expect(() => backboneFactory('resent32')).toThrow(/Did you mean 'resnet32'/);
    expect(() => tinyNet({ blocks: 0 })).toThrow(/1 to 8/);
    expect(() => cifarResNet({ depth: 8, wdith: 3 } as never)).toThrow(/Did you mean 'width'/);
  });
});

describe('published partitions', () => {
  const sizes = (name: string, spec: PartitionSpec) => resolvePartition(build(name).blocks, spec);

  it.each([
    ['resnet32', 2, [8, 8]],
    ['resnet32', 4, [4, 4, 4, 4]],
    ['resnet32', 8, [2, 2, 2, 2, 2, 2, 2, 2]],
    ['resnet110', 8, [6, 7, 7, 7, 7, 7, 7, 7]],
    ['resnet110', 16, [3, 3, 3, 3, 3, 3, 3, 3, 3, 4, 4, 4, 4, 4, 4, 4]],
  ])('%s into %i modules', (name, modules, expected) => {
    expect(sizes(name, { lastBlocks: publishedPartition(name, modules) })).toEqual(expected);
  });

  it('are what the even rule gives, but for ResNet-110 into 32, whose extra blocks are spread', () => {
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

  it('balances memory better than even counts do', () => {
    const backbone = build('resnet110');
    const largest = (partition: readonly number[]) =>
      Math.max(
        ...createNetwork(backbone, partition).modules.map((module) =>
          module.blocks.reduce((sum, block) => sum + block.cost.residualBytes(1), 0),
        ),
      );
    for (const modules of [2, 3, 4, 8]) {
      const balanced = resolvePartition(backbone.blocks, { modules, strategy: 'balanced-memory' });
      const even = resolvePartition(backbone.blocks, { modules });
      expect(largest(balanced)).toBeLessThan(largest(even));
      expect(balanced.reduce((sum, size) => sum + size, 0)).toBe(55);
    }
  });

  it('lists what there is', () => {
    expect(() => publishedPartition('resnet32', 5)).toThrow(/resnet32 \(2, 3, 4, 8, 15, 16\)/);
    expect(() => sizes('resnet32', { modules: 17 })).toThrow(LocalgradError);
    expect(() => sizes('resnet32', { modules: 17 })).toThrow(/1 to 15.*or 16/);
    expect(() => sizes('resnet32', { sizes: [3, 4] })).toThrow(/16 blocks/);
    expect(() => sizes('resnet32', { lastBlocks: [[3, 9]] })).toThrow(/\(3,9\)/);
  });
});
