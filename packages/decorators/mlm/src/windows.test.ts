import { type Backbone, createNetwork, validatePlan } from '@localgrad/core';
import { describe, expect, it } from 'vitest';
import { type MlmOptions, mlm } from './index.js';
import { countsOf, host, network, objectives } from './mlm.fixture.js';

describe('windows within a stage', () => {
  const references = [
    [0, 0],
    [1, 0],
    [1, 1],
    [2, 0],
    [2, 1],
    [2, 2],
    [3, 0],
    [3, 1],
  ];
  const staged = (sizes: readonly number[]) => {
    const shape = [4, 4, 2];
    const members = references.map((reference) => ({
      reference,
      block: { name: `block${reference}`, inputShape: shape, outputShape: shape },
    }));
    return createNetwork({ inputShape: shape, blocks: members } as unknown as Backbone, sizes);
  };
  const spansOf = (options: MlmOptions, sizes: readonly number[] = [1, 1, 1, 1, 1, 1, 1, 1]) => {
    const plan = mlm(host, options).plan(staged(sizes));
    validatePlan(plan, sizes.length);
    return plan.objectives.filter(({ role }) => role === 'cascaded').map(({ span }) => span.join('-'));
  };

  it('do not reach into the stage before', () => {
    expect(spansOf({ window: 3, within: 'stage' })).toEqual(['0-0', '1-1', '1-2', '3-3', '3-4', '3-5', '6-6', '6-7']);
    expect(spansOf({ window: 2, within: 'stage' })).toEqual(['0-0', '1-1', '1-2', '3-3', '3-4', '4-5', '6-6', '6-7']);
    expect(spansOf({ window: 3 })).toEqual(['0-0', '0-1', '0-2', '1-3', '2-4', '3-5', '4-6', '5-7']);
  });

  it('contain no module with blocks of two stages, unless it is alone', () => {
    // Modules: (0,0) (1,0) | (1,1) (2,0) | (2,1) | (2,2) | (3,0) (3,1)
    expect(spansOf({ window: 4, within: 'stage' }, [2, 2, 1, 1, 2])).toEqual(['0-0', '1-1', '2-2', '2-3', '4-4']);
  });

  it('skip modules without a full window with incompleteWindows: skip', () => {
    const plan = mlm(host, { window: 2, within: 'stage', incompleteWindows: 'skip' }).plan(
      staged([1, 1, 1, 1, 1, 1, 1, 1]),
    );
    expect(plan.objectives.map(({ id }) => id)).toEqual([
      ...[
        'module2',
        'module2.cascaded',
        'module4',
        'module4.cascaded',
        'module5',
        'module5.cascaded',
        'final',
        'final.cascaded',
      ],
    ]);
  });
});

describe('prune', () => {
  it('keeps losses only where windows end, which do not overlap', () => {
    const ids = (options: MlmOptions) => objectives({ ...options, prune: true }).map(([id, , span]) => `${id} ${span}`);
    expect(ids({ window: 2 })).toEqual([
      ...[
        'module0 0-0',
        'module0.cascaded 0-0',
        'module2 2-2',
        'module2.cascaded 1-2',
        'final 4-4',
        'final.cascaded 3-4',
      ],
    ]);
    expect(ids({ window: 5, finalLoss: 'cascaded' })).toEqual(['final.cascaded 0-4']);
  });

  it('counts the forward passes of its windows alone', () => {
    const plan = mlm(host, { window: 2, prune: true, statisticsUpdates: 'perForward' }).plan(network);
    expect(countsOf(plan)).toEqual([[1, 1], [2], [2], [2], [2]]);
  });

  it('excludes windows that are skipped', () => {
    expect(() => mlm(host, { prune: true, incompleteWindows: 'skip' })).toThrow(
      /without any loss; remove one of the two/,
    );
    expect(() => mlm(host, { within: 'block' } as unknown as MlmOptions)).toThrow(/within.*network, stage/);
  });
});
