import { imageNetResNet, publishedPartition } from '@localgrad/backbones';
import { type BlockReference, createNetwork, type Network, resolvePartition } from '@localgrad/core';
import { createScope } from '@localgrad/nn/random';
import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { lam, publishedChains } from './index.js';
import { host, networkOf, text } from './lam-plan.fixture.js';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

describe('the published tables', () => {
  const chains = (depth: number, modules: number) =>
    publishedChains(networkOf(depth, { lastBlocks: publishedPartition(`resnet${depth}`, modules) }));

  it.each([
    [32, 8, 7],
    [32, 15, 14],
    [32, 16, 15],
    [110, 32, 31],
    [110, 54, 53],
    [110, 55, 54],
  ])('resnet%i, %i modules: have a matching chain for each module but the last', (depth, modules, count) => {
    const network = networkOf(depth, { lastBlocks: publishedPartition(`resnet${depth}`, modules) });
    expect(publishedChains(network)).toHaveLength(count);
    const plan = lam(host).plan(network);
    expect(plan.objectives.filter(({ head }) => head.factory?.borrows !== undefined)).toHaveLength(count);
  });

  it.each([
    [34, 16],
    [101, 33],
    [152, 50],
  ])('ImageNet’s resnet%i, %i modules: have a chain that fits for each module but the last', (depth, modules) => {
    const factory = imageNetResNet({ depth, width: 1 });
    const backbone = factory.build({ inputShape: [32, 32, 3], classes: 3, scope: createScope(1) });
    const lastBlocks = publishedPartition(factory.name, modules, 'mlaan');
    const network = createNetwork(backbone, resolvePartition(backbone.blocks, { lastBlocks }));
    expect(publishedChains(network)).toHaveLength(modules - 1);
    const { objectives } = lam(host).plan(network);
    expect(objectives.filter(({ head }) => head.factory?.borrows !== undefined)).toHaveLength(modules - 1);
  });

  it('match docs/methods/lam.md §3', () => {
    const eight = chains(32, 8) ?? [];
    expect([0, 2, 3, 5, 6].map((module) => text(eight[module]))).toEqual([
      '20 30 32 34',
      '20 30 33 34',
      '30 32 33 34',
      '32 33 34',
      '33 34',
    ]);
    expect(chains(32, 16)?.slice(1)).toEqual(chains(32, 15));
    expect([10, 11, 12, 13].map((module) => text(chains(32, 15)?.[module]))).toEqual([
      '31 32 34',
      '32 33 34',
      '33 34',
      '34',
    ]);
    expect([10, 21, 25, 30].map((module) => text(chains(110, 32)?.[module]))).toEqual([
      '20 30 32 317',
      '30 33 34 317',
      '38 317',
      '317',
    ]);
  });

  it.each([
    ['resnet34', [3, 4, 6, 3], ['20 21 30 40 42', '21 30 40 42', '31 40 41', '41 41 42', '41 42']],
    ['resnet101', [3, 4, 23, 3], ['20 30 40 42', '30 40 41', '40 41', '41 42']],
    ['resnet152', [3, 8, 36, 3], ['20 30 40 42', '30 40 41', '40 41', '41 42']],
  ] as const)('have a chain for each block but the last: %s', (name, perStage, expected) => {
    const references = perStage.flatMap((count, stage) =>
      Array.from({ length: count }, (_, index): BlockReference => [stage + 1, index]),
    );
    const modules = references.map((reference) => ({ members: [{ reference }] }));
    const found = publishedChains({ backbone: { name }, modules } as unknown as Network);
    expect(found).toHaveLength(references.length - 1);
    expect([...new Set(found?.map(text))]).toEqual(expected);
    const inherited = publishedChains({ backbone: { name: 'constructor' }, modules } as unknown as Network);
    expect(inherited).toBeUndefined();
    const coarser = publishedChains({ backbone: { name }, modules: modules.slice(1) } as unknown as Network);
    expect(coarser).toBeUndefined();
  });

  it('apply only to their own partition', () => {
    expect(publishedChains(networkOf(32, { modules: 7 }))).toBeUndefined();
    expect(publishedChains(networkOf(14, { modules: 4 }))).toBeUndefined();
  });
});
