import { cifarResNet } from '@localgrad/backbones';
import { createNetwork, resolvePartition } from '@localgrad/core';
import { compilePlan } from '@localgrad/engine';
import { greedy } from '@localgrad/greedy';
import { lam } from '@localgrad/lam';
import { mlm } from '@localgrad/mlm';
import { createScope } from '@localgrad/nn/random';
import { describe, expect, it } from 'vitest';
import { type MlaanOptions, mlaan, withMlaan } from './index.js';

const backbone = cifarResNet({ depth: 14, width: 2 }).build({
  inputShape: [8, 8, 3],
  classes: 3,
  scope: createScope(1),
});
const network = createNetwork(backbone, resolvePartition(backbone.blocks, { modules: 6 }));
const shown = (method: ReturnType<typeof mlaan>) => {
  const plan = method.plan(network);
  const compiled = compilePlan(network, plan, { scope: createScope(2) });
  return {
    objectives: plan.objectives.map(({ id, role, span, weight, head }) => ({
      id,
      role,
      span,
      weight,
      key: head.key,
      borrows: head.factory?.borrows,
    })),
    hooks: plan.hooks.map(({ name }) => name),
    averages: compiled.averages.map(({ average, live, when }) => [average.name, live.name, when]),
    rewritten: compiled.moduleBlocks.flat().map((block, index) => block !== network.backbone.blocks[index]?.block),
  };
};

describe('mlaan', () => {
  it('is lam around mlm with the settings of the publication', () => {
    const same = lam(mlm(greedy(), { window: 2, independentWeight: 0.001, cascadeWeight: 0.999 }), {
      on: 'cascaded',
      momentum: 0.995,
    });
    expect(shown(mlaan(greedy()))).toEqual(shown(same));
    expect(mlaan(greedy()).plan(network).method).toBe('mlaan(greedy)');
  });

  it('officialCode sets every switch of docs/methods/mlaan.md §2, and single options override it', () => {
    const same = lam(
      mlm(greedy(), { incompleteWindows: 'skip', finalLoss: 'cascaded', statisticsUpdates: 'perForward' }),
      {
        on: 'cascaded',
        emaUpdate: 'lastOnly',
        emaTime: 'beforeStep',
      },
    );
    const official = shown(mlaan(greedy(), { variant: 'officialCode' }));
    expect(official).toEqual(shown(same));
    expect(official.objectives.map(({ id }) => id)).not.toContain('module0');
    expect(new Set(official.averages.map(([, , when]) => when))).toEqual(new Set(['beforeUpdate']));
    expect(official.rewritten).toContain(true);
    const other = shown(mlaan(greedy(), { variant: 'officialCode', emaTime: 'afterStep', statisticsUpdates: 'once' }));
    expect(new Set(other.averages.map(([, , when]) => when))).toEqual(new Set(['afterUpdate']));
    expect(other.rewritten).not.toContain(true);
  });

  it('names itself, and not lam, where heads already have chains', () => {
    expect(() => mlaan(lam(greedy())).plan(network)).toThrow(
      /^mlaan\(lam\(greedy\)\): .*select other heads with option 'on'\.$/,
    );
  });

  it('has a config with the passed options, and a decorator form', () => {
    const options: MlaanOptions = { variant: 'officialCode', window: 3 };
    expect(mlaan(greedy(), options).config).toEqual({ decorator: 'mlaan', of: { method: 'greedy' }, ...options });
    expect(withMlaan(options)(greedy()).config).toEqual(mlaan(greedy(), options).config);
  });

  it('prunes windows of the published code if they may be cut', () => {
    const options = { prune: true, variant: 'officialCode', incompleteWindows: 'cut' } as const;
    expect(mlaan(greedy(), options).plan(network).objectives.length).toBeGreaterThan(0);
  });

  it.each<[object, RegExp]>([
    [{ variant: 'paper' }, /clean, officialCode/],
    [{ window: 0 }, /^mlaan: option 'window' is 0/],
    [{ momentum: 2 }, /^mlaan: option 'momentum' is 2/],
    [{ prune: true, incompleteWindows: 'skip' }, /^mlaan: options 'prune' and incompleteWindows: 'skip' together/],
    // The variant skips incomplete windows, an option that was not passed.
    [
      { prune: true, variant: 'officialCode' },
      /^mlaan: options 'prune' and variant: 'officialCode', .*add incompleteWindows: 'cut'/,
    ],
    [{ cascade: 2 }, /option of mlaan.*cascadeWeight/s],
  ])('rejects options %j', (options, message) => {
    expect(() => mlaan(greedy(), options as MlaanOptions)).toThrow(message);
  });
});
