import { cifarResNet } from '@localgrad/backbones';
import { createNetwork, type Network, resolvePartition, startOfTraining, weightAt } from '@localgrad/core';
import { dgl } from '@localgrad/dgl';
import { compilePlan, describePlan } from '@localgrad/engine';
import { costOf } from '@localgrad/nn/cost';
import { createScope } from '@localgrad/nn/random';
import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { type LeanMlaanOptions, leanMlaan, withLeanMlaan } from './index.js';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

const host = dgl({ head: '0c1f' });

function networkOf(sizes: readonly number[] | number, depth = 20): Network & { scope: ReturnType<typeof createScope> } {
  const scope = createScope(1);
  const backbone = cifarResNet({ depth, width: 2 }).build({ inputShape: [16, 16, 3], classes: 3, scope });
  const partition =
    typeof sizes === 'number'
      ? resolvePartition(backbone.blocks, { modules: sizes, strategy: 'balanced-memory' }, costOf)
      : resolvePartition(backbone.blocks, { sizes });
  return { ...createNetwork(backbone, partition), scope };
}

const describeWith = (options: LeanMlaanOptions, sizes: readonly number[] | number = 6) => {
  const { scope, ...network } = networkOf(sizes);
  return describePlan(compilePlan(network, leanMlaan(host, options).plan(network), { scope }), 8);
};

const spansOf = (options: LeanMlaanOptions, sizes: readonly number[] | number = 6) =>
  leanMlaan(host, options)
    .plan(networkOf(sizes))
    .objectives.map(({ id, span, weight }) => `${id} ${span.join('-')} ${weightAt(weight, startOfTraining)}`);

describe('leanMlaan', () => {
  it('has pooled chains without averages, at weight 1, and one loss for the last modules', () => {
    const { objectives } = leanMlaan(host).plan(networkOf([2, 2, 2, 1, 1, 1, 1]));
    const [first] = objectives;
    expect(first).toMatchObject({
      id: 'module0',
      role: 'independent',
      weight: 1,
      head: { factory: { name: 'leap/2+0c1f' } },
    });
    expect(first?.head.factory?.borrows?.every(({ as }) => as.join() === 'trained-copy')).toBe(true);
    // The last four modules are in stages 2 3 3 3: the window takes those of stage 3, and their heads are dropped.
    expect(objectives.map(({ span }) => span.join('-'))).toEqual(['0-0', '1-1', '2-2', '3-3', '4-6']);
  });

  it('keeps losses inside the window with insideWeight, and takes windows by length', () => {
    expect(spansOf({ finalWindow: 3, insideWeight: 0.1 }, [2, 2, 2, 2, 2])).toEqual([
      ...['module0 0-0 1', 'module1 1-1 1', 'module2 2-2 0.1', 'module3 3-3 0.1', 'final 2-4 1'],
    ]);
    expect(spansOf({ finalWindow: 1 }, [2, 2, 2, 2, 2]).at(-1)).toBe('final 4-4 1');
    expect(spansOf({ finalWindow: 9 }, [2, 2, 2, 2, 2])).toEqual(['final 0-4 1']);
  });

  it.each([3, 4, 5, 6, 8])('predicts no higher peak with its free window than without: %i modules', (modules) => {
    const [free, none] = [describeWith({}, modules), describeWith({ finalWindow: 1 }, modules)];
    expect(free.totals.predictedPeakBytes).toBeLessThanOrEqual(none.totals.predictedPeakBytes * 1.0001);
    expect(free.totals.unitsOfWork).toBeLessThanOrEqual(none.totals.unitsOfWork);
  });

  it('is a decorator with its options in the config', () => {
    expect(withLeanMlaan({ chainPool: 1 })(host)).toMatchObject({
      name: 'lean-mlaan(dgl)',
      config: { decorator: 'lean-mlaan', of: host.config, chainPool: 1 },
    });
    const { objectives } = describeWith({ share: 'stage' }, [2, 1, 1, 2, 2, 2]);
    expect(objectives[0]?.shares).toEqual({ key: 'leap0', scale: 'mean' });
  });

  it('does not advise an option of lam that it does not have, where heads already have chains', () => {
    const { scope: _, ...network } = networkOf([2, 1, 1, 2, 2, 2]);
    expect(() => leanMlaan(leanMlaan(host)).plan(network)).toThrow(
      /^lean-mlaan\(lean-mlaan\(dgl\)\): every head .*Remove one of the two\.$/,
    );
  });

  it.each<[object, RegExp]>([
    [{ finalWindow: 0 }, /finalWindow.*free, integers ≥ 1/],
    [{ insideWeight: -1 }, /insideWeight.*finite numbers ≥ 0/],
    [{ chainPools: 2 }, /chainPools/],
    [{ share: 'all' }, /share.*none, stage/],
  ])('rejects %j', (options, message) => {
    expect(() => leanMlaan(host, options)).toThrow(message);
  });
});
