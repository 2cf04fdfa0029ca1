import { cifarResNet, imageNetResNet, publishedPartition } from '@localgrad/backbones';
import {
  type BlockReference,
  createNetwork,
  type LocalLearningMethod,
  type Network,
  resolvePartition,
} from '@localgrad/core';
import { dgl } from '@localgrad/dgl';
import { mlm } from '@localgrad/mlm';
import { createScope, type RootScope } from '@localgrad/nn/random';
import * as tf from '@tensorflow/tfjs';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { type LamOptions, lam, publishedChains, ruleChain, withLam } from './index.js';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

const host = dgl({ head: '0c1f' });

function networkOf(
  depth: number,
  spec: Parameters<typeof resolvePartition>[1],
  scope: RootScope = createScope(1),
): Network {
  const backbone = cifarResNet({ depth, widths: [2, 2, 4, 8] }).build({ inputShape: [8, 8, 3], classes: 3, scope });
  return createNetwork(backbone, resolvePartition(backbone.blocks, spec));
}

const text = (blocks: readonly BlockReference[] | undefined) => blocks?.map((block) => block.join('')).join(' ');

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

describe('the rule', () => {
  it('yields the chains of the reference on the small network', () => {
    const network = networkOf(14, {
      lastBlocks: [
        [1, 0],
        [1, 1],
        [2, 0],
        [2, 1],
        [3, 0],
        [3, 1],
      ],
    });
    expect([0, 1, 2, 3, 4, 5].map((module) => text(ruleChain(network, module, 4)))).toEqual([
      '20 30 31',
      '20 30 31',
      '30 31',
      '30 31',
      '31',
      '',
    ]);
  });

  /** A network of blocks `stage.index` with the width of their input and output; each of them is a module. */
  const networkOfBlocks = (...described: readonly (readonly [BlockReference, number, number])[]): Network => {
    const blocks = described.map(([reference, from, to]) => {
      return { reference, block: { inputShape: [4, 4, from], outputShape: [4, 4, to] } };
    });
    return { backbone: { blocks }, modules: blocks.map((block) => ({ members: [block] })) } as unknown as Network;
  };

  it('prefers the first blocks of stages to blocks that change the shape', () => {
    const network = networkOfBlocks(
      ...([
        [[1, 0], 1, 1],
        [[2, 0], 1, 2],
        [[2, 1], 2, 2],
        [[3, 0], 2, 2],
        [[3, 1], 2, 2],
      ] as const),
      ...([
        [[3, 2], 2, 2],
        [[3, 3], 2, 2],
      ] as const),
    );
    expect([0, 1, 2, 3].map((module) => text(ruleChain(network, module, 3)))).toEqual([
      '20 30 33',
      '30 32 33',
      '30 32 33',
      '31 32 33',
    ]);
  });

  it('skips blocks that preserve the shape if the first blocks of stages do not fit', () => {
    const network = networkOfBlocks([[1, 0], 1, 1], [[1, 1], 1, 2], [[2, 0], 2, 2], [[2, 1], 2, 3]);
    expect([1, 2, 3].map((length) => text(ruleChain(network, 0, length)))).toEqual(['11 21', '11 21', '11 20 21']);
  });

  it('spreads the remaining blocks of a chain evenly over the last stage', () => {
    const network = networkOf(32, { modules: 4 });
    expect([1, 2, 3, 4, 5, 6, 9].map((length) => text(ruleChain(network, 0, length)))).toEqual([
      '20 30 34',
      '20 30 34',
      '20 30 34',
      '20 30 32 34',
      '20 30 31 33 34',
      '20 30 31 32 33 34',
      '20 30 31 32 33 34',
    ]);
  });

  it('skips stage 1, which preserves the shape, for a stem that is its own module', () => {
    const lastBlocks = [
      [0, 0],
      [1, 1],
      [2, 1],
      [3, 1],
    ] as const;
    const network = networkOf(14, { lastBlocks });
    expect([0, 1].map((module) => text(ruleChain(network, module, 4)))).toEqual(['20 30 31', '20 30 31']);
  });

  it('yields matching chains for any depth, partition and length, which end with the last block', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 4 }),
        fc.integer({ min: 2, max: 13 }),
        fc.integer({ min: 1, max: 6 }),
        (n, k, length) => {
          const depth = 6 * n + 2;
          const network = networkOf(depth, { modules: Math.min(k, 3 * n) });
          const plan = lam(host, { leap: 'rule', maximumLength: length }).plan(network);
          for (const { span, head } of plan.objectives.slice(0, -1)) {
            const chain = ruleChain(network, span[1], length);
            expect(head.factory?.borrows?.map(({ reference }) => reference)).toEqual(chain);
            expect(chain.at(-1)).toEqual([3, n - 1]);
            expect(new Set(chain.map(String)).size).toBe(chain.length);
            expect(chain.length).toBeLessThanOrEqual(Math.max(length, 3));
          }
        },
      ),
      { numRuns: 40 },
    );
  });
});

describe('lam', () => {
  it('selects heads by role, but never the classifier', () => {
    const network = networkOf(14, { modules: 4 });
    const chained = (on: LamOptions['on'], of = mlm(host)) =>
      lam(of, on === undefined ? {} : { on })
        .plan(network)
        .objectives.filter(({ head }) => head.factory?.borrows !== undefined)
        .map(({ id }) => id);
    const cascaded = [0, 1, 2].map((module) => `module${module}.cascaded`);
    const independent = [0, 1, 2].map((module) => `module${module}`);
    expect(chained(undefined)).toEqual(cascaded);
    expect(chained('independent')).toEqual(independent);
    expect(chained('all')).toEqual([0, 1, 2].flatMap((module) => [`module${module}`, `module${module}.cascaded`]));
    expect(chained(undefined, host)).toEqual(independent);
    expect(() => chained('cascaded', host)).toThrow(/no cascaded losses.*independent/s);
    expect(() => lam(host, { on: 'cascaded' }).plan(networkOf(14, { modules: 2 }))).toThrow(/no cascaded losses/);
  });
});

describe('the description of a chain', () => {
  const network = networkOf(14, { modules: 4 });
  const borrowed = (options: LamOptions, module = 0) =>
    lam(host, options).plan(network).objectives[module]?.head.factory;
  const both = ['trained-copy', 'averaged-copy'];

  it('lists its blocks, their copies and the momentum of their averages', () => {
    expect(borrowed({})).toMatchObject({ name: 'leap+0c1f' });
    expect(borrowed({})?.borrows).toEqual([
      { reference: [2, 0], live: 'layer2.0', as: both, momentum: 0.995 },
      { reference: [3, 0], live: 'layer3.0', as: ['trained-copy'] },
      { reference: [3, 1], live: 'layer3.1', as: ['trained-copy'] },
    ]);
    expect(borrowed({ emaBlocks: 'all' })?.borrows?.map(({ as }) => as)).toEqual([both, both, both]);
    expect(borrowed({ chain: 'ema', momentum: 0.5 })?.borrows).toMatchObject([
      { as: ['averaged-copy'], momentum: 0.5 },
      { as: ['averaged-copy'], momentum: 0.5 },
      { as: ['averaged-copy'], momentum: 0.5 },
    ]);
    const momenta = [0, 1, 2].map((module) => borrowed({ emaUpdate: 'lastOnly' }, module)?.borrows?.[0]?.momentum);
    expect(momenta).toEqual([1, 1, 0.995]);
    const windows = lam(mlm(host), { emaUpdate: 'lastOnly' }).plan(network).objectives;
    expect(windows.flatMap(({ head }) => head.factory?.borrows?.[0]?.momentum ?? [])).toEqual([1, 1, 0.995]);
  });

  it('has the blocks that the user lists, for each module but the last', () => {
    const leap: BlockReference[][] = [[[2, 0]], [[2, 1]], [[3, 1]]];
    const short = networkOf(14, {
      lastBlocks: [
        [1, 1],
        [2, 0],
        [3, 0],
        [3, 1],
      ],
    });
    const { objectives } = lam(host, { leap }).plan(short);
    expect(objectives.map(({ head }) => head.factory?.borrows?.map(({ reference }) => reference))).toEqual([
      ...leap,
      undefined,
    ]);
  });

  it('is the published one if there is one, unless the rule is requested', () => {
    const published = networkOf(32, { lastBlocks: publishedPartition('resnet32', 8) });
    const chainOf = (options: LamOptions) =>
      text(
        lam(host, options)
          .plan(published)
          .objectives[2]?.head.factory?.borrows?.map(({ reference }) => reference),
      );
    expect(chainOf({})).toBe('20 30 33 34');
    expect(chainOf({ leap: 'table' })).toBe('20 30 33 34');
    expect(chainOf({ leap: 'rule' })).toBe('20 30 32 34');
  });

  it('has at most four blocks by default', () => {
    const deep = networkOf(32, { modules: 2 });
    const [first] = lam(host, { leap: 'rule' }).plan(deep).objectives;
    expect(first?.head.factory?.borrows).toHaveLength(4);
  });

  it('is shared by losses that share a head', () => {
    const { objectives } = lam(mlm(host, { heads: 'shared' }), { on: 'all' }).plan(network);
    expect(objectives[0]?.head).toEqual(objectives[1]?.head);
    expect(objectives[0]?.head.factory).toBe(objectives[1]?.head.factory);
    expect(objectives[0]?.head.factory).not.toBe(objectives[2]?.head.factory);
  });

  it.each(['cascaded', 'independent', 'all'] as const)('is absent from a method without local losses (%s)', (on) => {
    const plain: LocalLearningMethod = {
      ...host,
      plan: (net) => ({ ...host.plan(net), objectives: host.plan(net).objectives.slice(-1) }),
    };
    expect(lam(plain, { on }).plan(network)).toEqual({ ...plain.plan(network), method: 'lam(dgl)' });
  });
});

describe('errors', () => {
  it('reports block, expected and actual shape for a chain that does not fit', () => {
    const network = networkOf(14, { modules: 4 });
    const leap: BlockReference[][] = [[[3, 0]], [[3, 1]], [[3, 1]]];
    expect(() => lam(host, { leap }).plan(network)).toThrow(
      /module 0 \(1,0\).*\(3,0\) expects 4×4×4, but receives 8×8×2/s,
    );
    expect(() => lam(host, { leap: [[[4, 0]], [], []] }).plan(network)).toThrow(/\(4,0\).*does not exist.*\(3,1\)/s);
    expect(() => lam(host, { leap: [[]] }).plan(network)).toThrow(/module 0.*empty/s);
    expect(() => lam(host, { leap: [] }).plan(network)).toThrow(/0 chains.*module 0 \(1,0\)/s);
    const tooMany = Array.from({ length: 4 }, () => [[2, 0]] as const);
    expect(() => lam(host, { leap: tooMany }).plan(network)).toThrow(
      /4 chains, but only 3 modules.*0 \(1,0\), 1 \([^ ]*\), 2 \([^ ]*\)\.$/s,
    );
    expect(() => lam(host, { leap: [[[2, 0]]] }).plan(networkOf(14, { modules: 1 }))).toThrow(
      /1 chains, but only 0 modules can have one: none\./,
    );
    expect(() => lam(host, { leap: [[[2, 0]]] }).plan(network)).toThrow(/one for each of the first 3 modules/);
  });

  it('rejects a method if all heads already use later blocks, and otherwise extends the remaining heads', () => {
    const network = networkOf(14, { modules: 4 });
    expect(() => lam(lam(host)).plan(network)).toThrow(
      /every head.*already uses blocks.*'leap\+0c1f' of module0: \(2,0\) \(3,0\) \(3,1\), and 2 more\)/s,
    );
    expect(() => lam(lam(host)).plan(networkOf(14, { modules: 2 }))).toThrow(/of module0: [(),0-9 ]*\)\. Remove/);
    const plan = lam(lam(mlm(host), { on: 'independent' }), { on: 'all' }).plan(network);
    expect(plan.objectives.slice(0, 4).map(({ head }) => head.key)).toEqual([
      'module0.leap',
      'module0.cascaded.leap',
      'module1.leap',
      'module1.cascaded.leap',
    ]);
  });

  it.each<[object, RegExp]>([
    [{ momentum: 2 }, /momentum.*0 to 1/s],
    [{ momentum: '0.9' }, /momentum/],
    [{ on: 'final' }, /cascaded, independent, all/],
    [{ emaBlocks: 'last' }, /first, all/],
    [{ maximumLength: 0 }, /maximumLength/],
    [{ leap: 'paper' }, /table, rule/],
    [{ momentum: -0.1 }, /momentum/],
    [{ momentum: Number.NaN }, /momentum/],
    [{ maximumLength: 1.5 }, /maximumLength.*integers ≥ 1/s],
    [{ emaTrainable: 'yes' }, /emaTrainable.*true, false/s],
    [{ chain: 'both' }, /learnable, ema/],
    [{ initialize: 'zero' }, /copy, independent/],
    [{ emaUpdate: 'never' }, /all, lastOnly/],
    [{ emaTime: 'now' }, /afterStep, beforeStep/],
    [{ leap: [[[1]]] }, /leap/],
    [{ leap: [[[1, 0, 0]]] }, /leap/],
    [{ leap: [[[1, 0.5]]] }, /leap/],
    [{ leap: [[[1, 0], 1]] }, /leap/],
    [{ leap: [1] }, /leap/],
    [{ leap: {} }, /leap/],
    [{ moment: 0.9 }, /momentum/],
  ])('rejects %j', (options, message) => {
    expect(() => lam(host, options as LamOptions)).toThrow(message);
    expect(() => withLam(options as LamOptions)).toThrow(message);
  });

  it('has a complete config', () => {
    const options: LamOptions = { momentum: 0.9, leap: [[[2, 0]]] };
    expect(JSON.parse(JSON.stringify(lam(host, options).config))).toEqual({
      decorator: 'lam',
      of: host.config,
      momentum: 0.9,
      leap: [[[2, 0]]],
    });
    expect(withLam(options)(host).name).toBe('lam(dgl)');
  });
});
