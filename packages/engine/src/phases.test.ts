import { type Clock, clockAt, type PhaseRule, type TrainingPlan } from '@localgrad/core';
import { sgd } from '@localgrad/nn/optimizers';
import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { describePlan } from './description.js';
import { createExecutor } from './executor.js';
import { createLiteralExecutor } from './literal.js';
import { compileFour, randomBatch, recorder } from './train-step.fixture.js';
import { createTrainStep } from './train-step.js';
import { untrainedParts } from './untrained.js';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

/** Sequential training: one module after another, for equal parts of training, with all earlier modules frozen. */
function oneAfterTheOther(plan: TrainingPlan): TrainingPlan {
  const ends = plan.objectives.map(({ id, span }) => ({ id, module: span[1] }));
  const nameOf = (module: number) => `module ${module}`;
  const phases = ends.map(({ id, module }) => ({
    name: nameOf(module),
    objectives: [id],
    frozen: Array.from({ length: module }, (_, earlier) => earlier),
  }));
  const phaseAt = ({ fraction }: Clock) => nameOf(Math.floor(fraction * ends.length));
  return { ...plan, method: `sequential(${plan.method})`, phases: { phases, phaseAt } };
}

const withRule = (rule: PhaseRule) => (plan: TrainingPlan) => ({ ...plan, phases: rule });

describe('sequential training by phases', () => {
  it('trains one module and its head at a time, and leaves everything else bit-identical', () => {
    const { compiled } = compileFour(oneAfterTheOther);
    const optimizer = sgd({ learningRate: 0.05, momentum: 0.9, weightDecay: 1e-2 });
    const trainStep = createTrainStep({ compiled, optimizer });
    const snapshot = () =>
      new Map(
        [...[...compiled.parameters].map(([name, { value }]) => [name, value] as const), ...optimizer.state()].map(
          ([name, value]) => [name, String(value.dataSync())],
        ),
      );
    for (let step = 0; step < 8; step++) {
      const before = snapshot();
      const batch = randomBatch(step);
      const { losses, phase } = trainStep.run(batch, clockAt(step, 2, 4));
      const module = Math.floor(step / 2);
      expect([phase, [...losses.keys()]]).toEqual([`module ${module}`, [module === 3 ? 'final' : `module${module}`]]);
      const changed = [...snapshot()].filter(([name, value]) => before.has(name) && before.get(name) !== value);
      const owned = module === 3 ? /(^|\/)(b3|fc)\./ : new RegExp(`(^|/)(b${module}|heads\\.module${module})\\.`);
      expect(changed.length).toBeGreaterThan(5);
      for (const [name] of changed) expect(name).toMatch(owned);
      tf.dispose([...losses.values()]);
      batch.dispose();
    }
  });

  it('needs less work and memory per step than training all modules, and reports both per phase', () => {
    const all = describePlan(compileFour().compiled, 16);
    const { compiled } = compileFour(oneAfterTheOther);
    const { phases = [], totals } = describePlan(compiled, 16);
    expect(phases.map(({ name, objectives, frozen }) => [name, objectives, frozen])).toEqual([
      ['module 0', ['module0'], []],
      ['module 1', ['module1'], [0]],
      ['module 2', ['module2'], [0, 1]],
      ['module 3', ['final'], [0, 1, 2]],
    ]);
    expect(phases.map(({ modules }) => modules)).toEqual([
      [3, 0, 0, 0],
      [1, 3, 0, 0],
      [1, 1, 3, 0],
      [1, 1, 1, 3],
    ]);
    for (const phase of phases) {
      expect(phase.unitsOfWork).toBeLessThan(all.totals.unitsOfWork);
      expect(phase.predictedPeakBytes).toBeLessThanOrEqual(all.totals.predictedPeakBytes);
    }
    expect(totals.unitsOfWork).toBe(Math.max(...phases.map(({ unitsOfWork }) => unitsOfWork)));
    expect(all.phases).toBeUndefined();
  });
});

describe('untrainedParts', () => {
  it('finds modules and the classifier that no phase trains', () => {
    const untrained = (change: (plan: TrainingPlan) => TrainingPlan = (plan) => plan) =>
      untrainedParts(compileFour(change).compiled);
    expect(untrained()).toEqual({ modules: [], classifier: false });
    expect(untrained(oneAfterTheOther)).toEqual({ modules: [], classifier: false });
    const lower = (plan: TrainingPlan) => ({ ...plan, objectives: plan.objectives.slice(0, 2) });
    expect(untrained(lower)).toEqual({ modules: [2, 3], classifier: true });
    const withPhases = (...frozen: number[][]) =>
      withRule({ phases: frozen.map((one, index) => ({ name: `${index}`, frozen: one })), phaseAt: () => '0' });
    // The classifier is trained: only the modules are frozen.
    expect(untrained(withPhases([1, 2, 3], [0, 2]))).toEqual({ modules: [2], classifier: false });
    expect(untrained(withPhases([1], [0, 2]))).toEqual({ modules: [], classifier: false });
  });

  it('counts only the phases of a run', () => {
    const { compiled } = compileFour(oneAfterTheOther);
    expect(untrainedParts(compiled, compiled.phases.slice(0, 3))).toEqual({ modules: [3], classifier: true });
    expect(describePlan(compiled, 4).untrained).toBeUndefined();
    const cut = compileFour((plan) => ({ ...plan, objectives: plan.objectives.slice(0, 3) })).compiled;
    expect(describePlan(cut, 4).untrained).toEqual({ modules: [3], classifier: true });
  });
});

describe('frozen modules', () => {
  const freezing = (frozen: readonly number[], rule: Partial<TrainingPlan> = {}) =>
    compileFour((plan) => ({
      ...withRule({ phases: [{ name: 'frozen', frozen }], phaseAt: () => 'frozen' })({
        ...plan,
        objectives: [{ id: 'final', role: 'final', span: [0, 3], weight: 1, head: { key: 'classifier' } }],
      }),
      ...rule,
    })).compiled;

  it('shorten the backward pass at the lower end of a span, and only propagate the gradient in its middle', () => {
    const units = (frozen: readonly number[]) =>
      describePlan(freezing(frozen), 8).modules.map((one) => one.unitsOfWork);
    expect(units([])).toEqual([3, 3, 3, 3]);
    expect(units([0, 1])).toEqual([1, 1, 3, 3]);
    expect(units([2])).toEqual([3, 3, 2, 3]);
    expect(units([0, 1, 2, 3])).toEqual([1, 1, 1, 1]);
    expect(freezing([0, 1]).predict(32).stepBytes).toBeLessThan(freezing([]).predict(32).stepBytes);
  });

  it('receive no gradient from either executor; all other gradients agree', () => {
    for (const frozen of [[0], [1, 2], [3], [0, 1, 2, 3]]) {
      const compiled = freezing(frozen);
      const [ours, literal] = [createExecutor, createLiteralExecutor].map((executor) => {
        const { optimizer, gradients } = recorder();
        createTrainStep({ compiled, optimizer, executor }).run(randomBatch(4), clockAt(0, 1, 1));
        return gradients();
      });
      const isFrozen = (name: string) => frozen.some((module) => name.startsWith(`b${module}.`));
      expect([...(ours?.keys() ?? [])].filter(isFrozen)).toEqual([]);
      expect([...(ours?.keys() ?? [])].sort()).toEqual([...(literal?.keys() ?? [])].sort());
      for (const [name, values] of ours ?? []) {
        const scale = Math.max(1e-3, ...values.map(Math.abs));
        values.forEach((value, index) => {
          expect(Math.abs(value - (literal?.get(name)?.[index] ?? Number.NaN)) / scale, name).toBeLessThan(1e-4);
        });
      }
    }
  });

  it('can depend on the state of the plan', () => {
    const { compiled } = compileFour((plan) => ({
      ...plan,
      state: [{ name: 'isFrozen', initial: false }],
      hooks: [{ name: 'freeze', afterStep: ({ state, clock }) => state.set('isFrozen', clock.step >= 1) }],
      phases: {
        phases: [{ name: 'all' }, { name: 'late', frozen: [0] }],
        phaseAt: (_clock, state) => (state.get('isFrozen') === true ? 'late' : 'all'),
      },
    }));
    const trainStep = createTrainStep({ compiled, optimizer: sgd({ learningRate: 0.1 }) });
    const phases = [0, 1, 2, 3].map((step) => trainStep.run(randomBatch(step), clockAt(step, 1, 4)).phase);
    expect(phases).toEqual(['all', 'all', 'late', 'late']);
  });

  it('reports a phase name that the rule does not list', () => {
    const { compiled } = compileFour(withRule({ phases: [{ name: 'a' }, { name: 'b' }], phaseAt: () => 'c' }));
    const trainStep = createTrainStep({ compiled, optimizer: sgd({ learningRate: 0.1 }) });
    expect(() => trainStep.run(randomBatch(1), clockAt(0, 1, 1))).toThrow(
      /returned 'c' at step 0; its phases are a, b/,
    );
  });
});
