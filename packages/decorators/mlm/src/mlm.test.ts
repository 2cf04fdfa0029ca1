import {
  type Backbone,
  type BackboneBlock,
  type Block,
  type BlockPlace,
  clockAt,
  createNetwork,
  endOfTraining,
  type HeadFactory,
  independentPlan,
  type LocalLearningMethod,
  type Mode,
  startOfTraining,
  type TrainingPlan,
  trainingMode,
  validatePlan,
  weightAt,
} from '@localgrad/core';
import { describe, expect, it } from 'vitest';
import { type MlmOptions, mlm, withMlm } from './index.js';

const factory: HeadFactory = {
  name: 'test',
  build: () => {
    throw new Error('not built here');
  },
};
const host: LocalLearningMethod = {
  specVersion: 'v1',
  name: 'host',
  config: { method: 'host' },
  plan: (network) => independentPlan('host', network, factory),
};
const blocks = Array.from(
  { length: 6 },
  (_, index) =>
    ({ reference: [index === 0 ? 0 : 1, index], block: { outputShape: [4, 4, 2] } }) as unknown as BackboneBlock,
);
/** Five modules, with the stem in the first one. */
const network = createNetwork({ blocks } as unknown as Backbone, [2, 1, 1, 1, 1]);
const objectives = (options?: MlmOptions) => {
  const plan = mlm(host, options).plan(network);
  validatePlan(plan, 5);
  return plan.objectives.map(({ id, role, span, weight, head }) => [
    id,
    role,
    span.join('-'),
    weightAt(weight, startOfTraining),
    head.key,
  ]);
};

/** Number of running-statistics updates per step, by block. */
function countsOf({ rewriteBlock }: TrainingPlan): number[][] {
  return network.modules.map(({ index: module, members }) =>
    members.map((_, index) => {
      let count = 0;
      const forward = (_x: unknown, mode: Mode) => {
        count = mode.statisticsUpdates;
      };
      const block = { forward, vjp: () => {}, replicate: () => {} } as unknown as Block;
      const rewritten = rewriteBlock?.(block, { module, index }) ?? block;
      rewritten.forward({} as never, trainingMode);
      return count;
    }),
  );
}

/** Makes a host update running statistics three times. */
function tripling(block: Block, _place: BlockPlace): Block {
  return {
    ...block,
    forward: (x, mode) => block.forward(x, { ...mode, statisticsUpdates: 3 * mode.statisticsUpdates }),
  };
}

describe('mlm', () => {
  it('keeps each loss, and adds a loss over the window that ends at the same module', () => {
    expect(objectives({ window: 3, independentWeight: 0.25, cascadeWeight: 0.75 })).toEqual([
      ['module0', 'independent', '0-0', 0.25, 'module0'],
      ['module0.cascaded', 'cascaded', '0-0', 0.75, 'module0.cascaded'],
      ['module1', 'independent', '1-1', 0.25, 'module1'],
      ['module1.cascaded', 'cascaded', '0-1', 0.75, 'module1.cascaded'],
      ['module2', 'independent', '2-2', 0.25, 'module2'],
      ['module2.cascaded', 'cascaded', '0-2', 0.75, 'module2.cascaded'],
      ['module3', 'independent', '3-3', 0.25, 'module3'],
      ['module3.cascaded', 'cascaded', '1-3', 0.75, 'module3.cascaded'],
      ['final', 'final', '4-4', 0.25, 'classifier'],
      ['final.cascaded', 'cascaded', '2-4', 0.75, 'classifier'],
    ]);
  });

  it("builds cascaded heads with the host's factory, or shares the host's heads", () => {
    const separate = mlm(host).plan(network).objectives;
    expect(separate.filter(({ head }) => head.factory === factory)).toHaveLength(8);
    expect(objectives({ heads: 'shared' }).map(([, , , , key]) => key)).toEqual(
      [0, 1, 2, 3].flatMap((module) => [`module${module}`, `module${module}`]).concat('classifier', 'classifier'),
    );
  });

  it('omits the same losses as the reference code', () => {
    const ids = objectives({ window: 3, incompleteWindows: 'skip', finalLoss: 'cascaded' }).map(([id]) => id);
    expect(ids).toEqual(['module2', 'module2.cascaded', 'module3', 'module3.cascaded', 'final.cascaded']);
  });

  it.each<[MlmOptions, number[][]]>([
    // docs/methods/engine.md §4: two forwards of the first and last module, three of the others, one of the stem.
    [{ window: 2, incompleteWindows: 'skip' }, [[1, 2], [3], [3], [3], [2]]],
    [{ window: 3, incompleteWindows: 'skip' }, [[1, 2], [3], [4], [3], [2]]],
    [{ window: 2 }, [[2, 2], [3], [3], [3], [2]]],
    [{ window: 1 }, [[1, 1], [1], [1], [1], [1]]],
  ])('%j: updates running statistics as often as the reference code', (options, counts) => {
    const plan = mlm(host, { ...options, statisticsUpdates: 'perForward' }).plan(network);
    validatePlan(plan, 5);
    expect(countsOf(plan)).toEqual(counts);
    expect(mlm(host, options).plan(network).rewriteBlock).toBeUndefined();
    const tripled: LocalLearningMethod = { ...host, plan: (net) => ({ ...host.plan(net), rewriteBlock: tripling }) };
    const nested = mlm(tripled, { ...options, statisticsUpdates: 'perForward' }).plan(network);
    expect(countsOf(nested)).toEqual(counts.map((module) => module.map((count) => (count === 1 ? 3 : 3 * count))));
  });

  it('ramps weights over training', () => {
    const { objectives: all } = mlm(host, { independentWeight: '1..0', cascadeWeight: '0..1' }).plan(network);
    const [independent, cascaded] = all;
    expect(
      [clockAt(0, 1, 4), clockAt(1, 1, 4), endOfTraining].map((clock) => weightAt(independent?.weight ?? 0, clock)),
    ).toEqual([1, 0.75, 0]);
    expect(
      [clockAt(0, 1, 4), clockAt(1, 1, 4), endOfTraining].map((clock) => weightAt(cascaded?.weight ?? 0, clock)),
    ).toEqual([0, 0.25, 1]);
  });

  it('limits cascaded losses to the phases of their original losses', () => {
    const phases = [{ name: 'first', objectives: ['module0', 'module1'], frozen: [3] }, { name: 'all' }];
    const phased: LocalLearningMethod = {
      ...host,
      plan: (net) => ({ ...host.plan(net), phases: { phases, phaseAt: () => 'all' } }),
    };
    const both = ['module0', 'module0.cascaded', 'module1', 'module1.cascaded'];
    expect(mlm(phased).plan(network).phases?.phases).toEqual([
      { name: 'first', objectives: both, frozen: [3] },
      { name: 'all' },
    ]);
    const skipping = mlm(phased, { incompleteWindows: 'skip' }).plan(network);
    validatePlan(skipping, 5);
    expect(skipping.phases?.phases[0]?.objectives).toEqual(['module1', 'module1.cascaded']);
  });

  it('does not cascade cascaded losses', () => {
    const plan = mlm(mlm(host)).plan(network);
    validatePlan(plan, 5);
    expect(plan.method).toBe('mlm(mlm(host))');
    expect(new Set(plan.objectives.map(({ id }) => id)).size).toBe(plan.objectives.length);
  });

  it('has a complete config, and a decorator form', () => {
    const options = { window: 3, cascadeWeight: '0..1' } as const;
    expect(mlm(host, options).config).toEqual({ decorator: 'mlm', of: { method: 'host' }, ...options });
    expect(withMlm(options)(host)).toMatchObject({ name: 'mlm(host)', config: mlm(host, options).config });
  });

  it.each<[object, RegExp]>([
    [{ window: 0 }, /window.*integers ≥ 1/s],
    [{ window: 1.5 }, /window/],
    [{ independentWeight: -1 }, /independentWeight.*from\.\.to/s],
    [{ cascadeWeight: '1..' }, /cascadeWeight/],
    [{ cascadeWeight: '1..2..3' }, /cascadeWeight/],
    [{ heads: 'both' }, /separate, shared/],
    [{ windows: 2 }, /windows.*window/s],
  ])('refuses %j', (options, message) => {
    expect(() => mlm(host, options as MlmOptions)).toThrow(message);
    expect(() => withMlm(options as MlmOptions)).toThrow(message);
  });
});
