import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { LocalgradError } from './errors.js';
import type { HeadFactory } from './head.js';
import {
  classifierHead,
  classifierObjective,
  finalObjective,
  isEndToEnd,
  type Objective,
  type TrainingPlan,
  validatePlan,
  weightAt,
} from './plan.js';

const factory: HeadFactory = {
  name: 'none',
  build: () => {
    throw new Error('A check of a plan must not build heads.');
  },
};
const objective = (change: Partial<Objective> = {}): Objective => ({
  id: 'a',
  role: 'independent',
  span: [0, 0],
  weight: 1,
  head: { key: 'a', factory },
  ...change,
});
const plan = (objectives: readonly Objective[], more: Partial<TrainingPlan> = {}): TrainingPlan => ({
  method: 'test',
  objectives,
  hooks: [],
  ...more,
});

describe('validatePlan', () => {
  it('accepts any objectives inside the network, with heads shared or not', () => {
    const spans = fc.integer({ min: 1, max: 12 }).chain((modules) =>
      fc.record({
        modules: fc.constant(modules),
        ends: fc.array(fc.tuple(fc.nat(modules - 1), fc.nat(modules - 1)), { minLength: 1, maxLength: 20 }),
        shared: fc.boolean(),
      }),
    );
    fc.assert(
      fc.property(spans, ({ modules, ends, shared }) => {
        const objectives = ends.map(([one, other], index) => {
          const to = Math.max(one, other);
          const head = { key: shared ? `module${to}` : `own${index}`, factory };
          return objective({ id: String(index), span: [Math.min(one, other), to], head });
        });
        expect(() => validatePlan(plan([...objectives, finalObjective(modules)]), modules)).not.toThrow();
      }),
    );
  });

  it.each<[string, readonly Objective[], RegExp]>([
    ['no objective', [], /no objective/],
    ['an id used twice', [objective(), objective({ head: { key: 'b', factory } })], /'a' is used twice/],
    ['a span before the first module', [objective({ span: [-1, 0] })], /span \[-1, 0\]; allowed: 0 ≤ from ≤ to ≤ 2/],
    ['a span past the last module', [objective({ span: [0, 3] })], /allowed: 0 ≤ from ≤ to ≤ 2/],
    ['a span upside down', [objective({ span: [2, 1] })], /span \[2, 1\]/],
    ['a broken span', [objective({ span: [0, 0.5] })], /span \[0, 0\.5\]/],
    ['a negative weight', [objective({ weight: -1 })], /weight -1; allowed: finite numbers ≥ 0/],
    ['an infinite weight', [objective({ weight: Number.POSITIVE_INFINITY })], /weight Infinity/],
    ['a weight that is no number', [objective({ weight: Number.NaN })], /weight NaN/],
    ['a head without factory', [objective({ head: { key: 'a' } })], /'a' without a factory; only 'classifier'/],
    ['the classifier before the end', [objective({ head: classifierHead })], /classifier on module 0.*last one \(2\)/],
    ['a head on two modules', [objective(), objective({ id: 'b', span: [1, 1] })], /modules 0 and 1/],
    [
      'a head key for two factories',
      [objective(), objective({ id: 'b', head: { key: 'a', factory: { ...factory } } })],
      /stands for two factories/,
    ],
  ])('refuses %s', (_, objectives, message) => {
    expect(() => validatePlan(plan(objectives), 3)).toThrow(message);
    expect(() => validatePlan(plan(objectives), 3)).toThrow(/^Plan of 'test'/);
    try {
      validatePlan(plan(objectives), 3);
    } catch (error) {
      expect((error as LocalgradError).code).toBe('invalid-plan');
    }
  });

  it.each([[[1, 1]], [[1, 1, -1]], [[1, 1, 0.5]]])('refuses updates of statistics %j for three modules', (updates) => {
    expect(() => validatePlan(plan([objective()], { statisticsUpdates: updates }), 3)).toThrow(
      /integers ≥ 0.*3 modules/,
    );
  });

  it('accepts updates of statistics, one a module', () => {
    expect(() => validatePlan(plan([objective()], { statisticsUpdates: [2, 0, 1] }), 3)).not.toThrow();
  });
});

describe('finalObjective', () => {
  it('puts the classifier on the last module and reaches back as far as asked', () => {
    expect(finalObjective(4).span).toEqual([3, 3]);
    expect(finalObjective(4, 0)).toEqual({ id: 'final', role: 'final', span: [0, 3], weight: 1, head: classifierHead });
  });
});

describe('weightAt', () => {
  it('is the number, or the function at the progress', () => {
    expect(weightAt(0.25, 0.9)).toBe(0.25);
    expect(weightAt((progress) => 2 * progress, 0.25)).toBe(0.5);
  });
});

describe('isEndToEnd', () => {
  it('holds where the only objective is the final one and reaches the first module', () => {
    expect(isEndToEnd(plan([finalObjective(4, 0)]))).toBe(true);
    // With one module a local method is the same thing.
    expect(isEndToEnd(plan([finalObjective(1)]))).toBe(true);
  });

  it.each<[string, readonly Objective[]]>([
    ['a final objective that stops at a later module', [finalObjective(4, 1)]],
    ['a further objective', [finalObjective(4, 0), objective()]],
    ['a single local objective', [objective()]],
    ['no objective', []],
  ])('does not hold with %s', (_, objectives) => {
    expect(isEndToEnd({ objectives })).toBe(false);
  });
});

describe('classifierObjective', () => {
  it('finds the objective of the classifier, whatever its name and place', () => {
    const classifier = { ...finalObjective(2), id: 'last' };
    const window = objective({ id: 'final', role: 'cascaded', span: [0, 1] });
    expect(classifierObjective(plan([window, classifier, objective()]))).toBe(classifier);
    expect(classifierObjective(plan([objective()]))).toBeUndefined();
  });
});
