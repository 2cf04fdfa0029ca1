import {
  type Block,
  type BlockPlace,
  type Clock,
  clockAt,
  endOfTraining,
  type LocalLearningMethod,
  validatePlan,
  weightAt,
} from '@localgrad/core';
import { describe, expect, it } from 'vitest';
import { type MlmOptions, mlm, withMlm } from './index.js';
import { countsOf, factory, host, network, objectives } from './mlm.fixture.js';

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

  it('has the weights of the published code by default', () => {
    expect(new Set(objectives().map(([, role, , weight]) => `${role} ${weight}`))).toEqual(
      new Set(['independent 0.001', 'cascaded 0.999', 'final 0.001']),
    );
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
    // The only loss of the classifier keeps its weight, whatever the weight of the other cascaded losses.
    const weights = objectives({ window: 3, finalLoss: 'cascaded', cascadeWeight: 0.75 });
    expect(weights.at(-1)).toEqual(['final.cascaded', 'cascaded', '2-4', 1, 'classifier']);
    expect(weights.at(-2)?.[3]).toBe(0.75);
    // The classifier has its loss even if the window is wider than the network.
    expect(objectives({ window: 6, incompleteWindows: 'skip', finalLoss: 'cascaded' })).toEqual([
      ['final.cascaded', 'cascaded', '0-4', 1, 'classifier'],
    ]);
  });

  it.each<[MlmOptions, number[][]]>([
    // docs/methods/engine.md §4: two forwards of the first and last module, three of the others, one of the stem.
    [{ window: 2, incompleteWindows: 'skip' }, [[1, 2], [3], [3], [3], [2]]],
    [{ window: 3, incompleteWindows: 'skip' }, [[1, 2], [3], [4], [3], [2]]],
    [{ window: 6, incompleteWindows: 'skip' }, [[1, 2], [2], [2], [2], [2]]],
    [{ window: 2 }, [[2, 2], [3], [3], [3], [2]]],
    [{ window: 3 }, [[3, 3], [4], [4], [3], [2]]],
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

  it('does not wrap blocks that run once per step', () => {
    const plan = mlm(host, { window: 2, incompleteWindows: 'skip', statisticsUpdates: 'perForward' }).plan(network);
    const block = { replicate: () => {} } as unknown as Block;
    expect(plan.rewriteBlock?.(block, { module: 0, index: 0 })).toBe(block);
    expect(plan.rewriteBlock?.(block, { module: 1, index: 0 })).not.toBe(block);
    expect(() => plan.rewriteBlock?.(block, { module: 5, index: 0 })).toThrow(/no module 5; there are 5/);
    expect(() => plan.rewriteBlock?.(block, { module: 1, index: 1 })).toThrow(/no block of the module 1; there are 1/);
  });

  it('keeps constant weights constant, so that losses with weight 0 are never evaluated', () => {
    const ramping: LocalLearningMethod = {
      ...host,
      plan: (net) => {
        const plan = host.plan(net);
        const [first, second, ...others] = plan.objectives;
        if (first === undefined || second === undefined) throw new Error('two losses');
        const weighted = [
          { ...first, weight: ({ fraction }: Clock) => fraction },
          { ...second, weight: 0 },
        ];
        return { ...plan, objectives: [...weighted, ...others] };
      },
    };
    const weightsOf = (options: MlmOptions) =>
      mlm(ramping, options)
        .plan(network)
        .objectives.slice(0, 6)
        .map(({ weight }) => (typeof weight === 'number' ? weight : 'ramp'));
    expect(weightsOf({ independentWeight: 0, cascadeWeight: '0..1' })).toEqual([0, 'ramp', 0, 0, 0, 'ramp']);
    expect(weightsOf({ independentWeight: 1, cascadeWeight: '0.5..0.5' })).toEqual(['ramp', 'ramp', 0, 0, 1, 0.5]);
  });

  it('ramps weights from the first step to the last', () => {
    const { objectives: all } = mlm(host, { independentWeight: '1..0', cascadeWeight: '0..1' }).plan(network);
    const [independent, cascaded] = all;
    expect(
      [clockAt(0, 1, 5), clockAt(1, 1, 5), clockAt(4, 1, 5), endOfTraining].map((clock) =>
        weightAt(independent?.weight ?? 0, clock),
      ),
    ).toEqual([1, 0.75, 0, 0]);
    expect(
      [clockAt(0, 1, 5), clockAt(1, 1, 5), clockAt(4, 1, 5), endOfTraining].map((clock) =>
        weightAt(cascaded?.weight ?? 0, clock),
      ),
    ).toEqual([0, 0.25, 1, 1]);
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
    const first = ['module0', 'module0.cascaded2', 'module0.cascaded'];
    expect(plan.objectives.map(({ id }) => id).slice(0, 4)).toEqual([...first, 'module1']);
    expect(plan.objectives).toHaveLength(15);
    const nested = mlm(mlm(mlm(host))).plan(network);
    validatePlan(nested, 5);
    expect(nested.objectives.map(({ id }) => id).slice(0, 4)).toEqual([
      'module0',
      'module0.cascaded3',
      ...first.slice(1),
    ]);
    expect(nested.objectives).toHaveLength(20);
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
    [{ incompleteWindows: 'drop' }, /'incompleteWindows' is 'drop'; allowed: cut, skip/],
    [{ finalLoss: 'none' }, /'finalLoss' is 'none'; allowed: both, cascaded/],
    [{ statisticsUpdates: 'twice' }, /'statisticsUpdates' is 'twice'; allowed: once, perForward/],
    [{ windows: 2 }, /windows.*window/s],
  ])('rejects %j', (options, message) => {
    expect(() => mlm(host, options as MlmOptions)).toThrow(message);
    expect(() => withMlm(options as MlmOptions)).toThrow(message);
  });
});
