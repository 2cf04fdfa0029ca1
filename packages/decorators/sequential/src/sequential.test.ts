import { cifarResNet } from '@localgrad/backbones';
import { clockAt, createNetwork, type LocalLearningMethod, resolvePartition, StoredPlanState } from '@localgrad/core';
import { compilePlan, createTrainStep } from '@localgrad/engine';
import { greedy } from '@localgrad/greedy';
import { mlm } from '@localgrad/mlm';
import { sgd } from '@localgrad/nn/optimizers';
import { createScope } from '@localgrad/nn/random';
import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { type SequentialOptions, sequential, withSequential } from './index.js';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

function setUp(method: LocalLearningMethod) {
  const scope = createScope(3);
  const backbone = cifarResNet({ depth: 14, widths: [2, 2, 4, 8] }).build({ inputShape: [8, 8, 3], classes: 3, scope });
  const network = createNetwork(backbone, resolvePartition(backbone.blocks, { modules: 4 }));
  const plan = method.plan(network);
  return { network, plan, compiled: compilePlan(network, plan, { scope }) };
}

const phaseNames = (method: LocalLearningMethod, steps: number) => {
  const { plan } = setUp(method);
  return Array.from({ length: steps }, (_, step) =>
    plan.phases?.phaseAt(clockAt(step, 1, steps), new StoredPlanState()),
  );
};

describe('sequential', () => {
  it('has a phase per module, in which earlier modules are frozen', () => {
    const { plan } = setUp(sequential(greedy()));
    expect(plan.method).toBe('sequential(greedy)');
    expect(plan.phases?.phases).toEqual([
      { name: 'module 0', objectives: ['module0'], frozen: [] },
      { name: 'module 1', objectives: ['module1'], frozen: [0] },
      { name: 'module 2', objectives: ['module2'], frozen: [0, 1] },
      { name: 'module 3', objectives: ['final'], frozen: [0, 1, 2] },
    ]);
  });

  it('trains all modules of the spans that end at a module', () => {
    const { phases } = setUp(sequential(mlm(greedy()))).plan;
    expect(phases?.phases.map(({ objectives, frozen }) => [objectives, frozen])).toEqual([
      [['module0', 'module0.cascaded'], []],
      [['module1', 'module1.cascaded'], []],
      [['module2', 'module2.cascaded'], [0]],
      [
        ['final', 'final.cascaded'],
        [0, 1],
      ],
    ]);
  });

  it('divides the steps equally, or by lengths', () => {
    const names = (counts: readonly number[]) =>
      counts.flatMap((count, module) => Array.from({ length: count }, () => `module ${module}`));
    expect(phaseNames(sequential(greedy()), 8)).toEqual(names([2, 2, 2, 2]));
    expect(phaseNames(sequential(greedy()), 6)).toEqual(names([2, 1, 2, 1]));
    expect(phaseNames(sequential(greedy(), { lengths: [1, 1, 1, 3] }), 6)).toEqual(names([1, 1, 1, 3]));
    expect(phaseNames(sequential(greedy(), { lengths: [10, 10, 10, 70] }), 10)).toEqual(names([1, 1, 1, 7]));
  });

  it('updates the weights and statistics of one module per phase', () => {
    const { network, compiled } = setUp(sequential(greedy()));
    const trainStep = createTrainStep({ compiled, optimizer: sgd({ learningRate: 0.1, weightDecay: 0.01 }) });
    const images = tf.randomNormal<tf.Rank.R4>([4, 8, 8, 3], 0, 1, 'float32', 1);
    const targets = { labels: tf.tensor1d([0, 1, 2, 0], 'int32') };
    const read = () =>
      new Map([...compiled.parameters].map(([name, { value }]) => [name, [...value.dataSync()].join()]));
    for (const step of [0, 1, 2, 3]) {
      const before = read();
      const { losses } = trainStep.run({ images, targets }, clockAt(step, 1, 4));
      expect([...losses.keys()]).toEqual([step === 3 ? 'final' : `module${step}`]);
      const after = read();
      const changed = new Set([...before].filter(([name, value]) => after.get(name) !== value).map(([name]) => name));
      network.modules.forEach(({ blocks }, index) => {
        const owned = blocks.flatMap(({ parameters, statistics }) => [...parameters, ...statistics]);
        const moved = owned.filter(({ name }) => changed.has(name));
        expect(moved.length, `module ${index} in step ${step}`).toBe(index === step ? owned.length : 0);
      });
    }
  });

  it('needs no more memory and work than training its largest module', () => {
    const all = setUp(greedy()).compiled.predict(8).stepBytes;
    expect(setUp(sequential(greedy())).compiled.predict(8).stepBytes).toBeLessThanOrEqual(all);
  });

  it('has a config with the passed options, and a decorator form', () => {
    const options: SequentialOptions = { lengths: [2, 1, 1, 1] };
    expect(sequential(greedy(), options).config).toEqual({
      decorator: 'sequential',
      of: { method: 'greedy' },
      ...options,
    });
    expect(withSequential(options)(greedy()).config).toEqual(sequential(greedy(), options).config);
  });

  it('rejects invalid lengths, and methods that have phases', () => {
    expect(() => sequential(greedy(), { lengths: [1, 0.5] })).toThrow(/lengths.*integers ≥ 1/);
    expect(() => withSequential({ lengths: [] })).toThrow(/lengths/);
    expect(() => sequential(greedy(), { length: 1 } as SequentialOptions)).toThrow(/Did you mean 'lengths'/);
    expect(() => setUp(sequential(greedy(), { lengths: [1, 2] }))).toThrow(/2 entries, but there are 4 phases/);
    expect(() => setUp(sequential(sequential(greedy())))).toThrow(/'sequential\(greedy\)' already has phases/);
  });
});
