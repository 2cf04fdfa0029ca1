import { publishedPartition } from '@localgrad/backbones';
import type { BlockReference, LocalLearningMethod } from '@localgrad/core';
import { mlm } from '@localgrad/mlm';
import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { type LamOptions, lam, withLam } from './index.js';
import { host, hostWithLastHead, networkOf, text } from './lam-plan.fixture.js';

beforeAll(async () => {
  await tf.setBackend('cpu');
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
    expect(chained(undefined, hostWithLastHead)).toEqual(independent);
    expect(chained('all', mlm(hostWithLastHead))).toEqual(chained('all'));
    expect(() => chained('cascaded', host)).toThrow(/no cascaded losses.*independent/s);
    expect(() => lam(host, { on: 'cascaded' }).plan(networkOf(14, { modules: 2 }))).toThrow(/no cascaded losses/);
  });
});

describe('the head of a loss', () => {
  it('has no shared weights unless they are requested', () => {
    const network = networkOf(14, { modules: 4 });
    const headOf = (options: LamOptions) => lam(host, options).plan(network).objectives[0]?.head;
    expect(headOf({})).not.toHaveProperty('shares');
    expect(headOf({ share: 'stage' })).toHaveProperty('shares');
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

  it('names the last module of a window before the chain that cannot be pooled', () => {
    const network = networkOf(14, { modules: 4 });
    const whole = mlm(host).plan(network);
    const objectives = whole.objectives.filter(({ role, span }) => role !== 'cascaded' || span[0] < span[1]);
    const windows: LocalLearningMethod = { ...host, plan: () => ({ ...whole, objectives }) };
    expect(objectives.find(({ role }) => role === 'cascaded')?.span).toEqual([0, 1]);
    expect(() => lam(windows, { chainPool: 3 }).plan(network)).toThrow(
      `the chain after module ${network.modules[1]?.name} reduces maps`,
    );
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
