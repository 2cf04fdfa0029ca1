import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { clockAt } from './clock.js';
import type { LocalgradError } from './errors.js';
import type { HeadFactory } from './head.js';
import {
  classifierHead,
  classifierObjective,
  finalObjective,
  isEndToEnd,
  type Objective,
  type Phase,
  type Span,
  type TrainingPlan,
  validatePlan,
  weightAt,
} from './plan.js';

const factory: HeadFactory = {
  name: 'none',
  build: () => {
    throw new Error('validatePlan must not build heads.');
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

const phased = (phases: readonly Phase[]): Partial<TrainingPlan> => ({ phases: { phases, phaseAt: () => 'p' } });

describe('validatePlan', () => {
  it('accepts any objectives inside the network, with shared or separate heads', () => {
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
    ['an id used twice', [objective(), objective({ head: { key: 'b', factory } })], /duplicate objective ID 'a'/],
    ['a span before the first module', [objective({ span: [-1, 0] })], /span \[-1, 0\]; allowed: 0 ≤ from ≤ to ≤ 2/],
    ['a span past the last module', [objective({ span: [0, 3] })], /allowed: 0 ≤ from ≤ to ≤ 2/],
    ['a reversed span', [objective({ span: [2, 1] })], /span \[2, 1\]/],
    ['a fractional span', [objective({ span: [0, 0.5] })], /span \[0, 0\.5\]/],
    ['a negative weight', [objective({ weight: -1 })], /weight -1; allowed: finite numbers ≥ 0/],
    ['an infinite weight', [objective({ weight: Number.POSITIVE_INFINITY })], /weight Infinity/],
    ['a NaN weight', [objective({ weight: Number.NaN })], /weight NaN/],
    ['a head without factory', [objective({ head: { key: 'a' } })], /'a' without a factory; only 'classifier'/],
    [
      'the classifier before the end',
      [objective({ head: classifierHead })],
      /classifier on module 0.*last module \(2\)/,
    ],
    ['a head on two modules', [objective(), objective({ id: 'b', span: [1, 1] })], /modules 0 and 1/],
    [
      'a head key for two factories',
      [objective(), objective({ id: 'b', head: { key: 'a', factory: { ...factory } } })],
      /'a' is used with two different factories/,
    ],
  ])('rejects %s', (_, objectives, message) => {
    expect(() => validatePlan(plan(objectives), 3)).toThrow(message);
    expect(() => validatePlan(plan(objectives), 3)).toThrow(/^Plan of 'test'/);
    try {
      validatePlan(plan(objectives), 3);
    } catch (error) {
      expect((error as LocalgradError).code).toBe('invalid-plan');
    }
  });

  it.each<[string, Partial<TrainingPlan>, RegExp]>([
    ['a rule without phases', { phases: { phases: [], phaseAt: () => '' } }, /phase rule has no phases/],
    ['a phase name used twice', phased([{ name: 'p' }, { name: 'p' }]), /duplicate phase name 'p'/],
    [
      'a phase with an unknown objective',
      phased([{ name: 'p', objectives: ['b'] }]),
      /'p' lists unknown objective 'b'; allowed: a/,
    ],
    ['a phase without objectives', phased([{ name: 'p', objectives: [] }]), /'p' has no active objective/],
    [
      'a phase that freezes a module outside',
      phased([{ name: 'p', frozen: [3] }]),
      /freezes module 3; allowed: 0 to 2/,
    ],
    [
      'state declared twice',
      {
        state: [
          { name: 's', initial: 0 },
          { name: 's', initial: 1 },
        ],
      },
      /state 's' is declared twice/,
    ],
  ])('rejects %s', (_, more, message) => {
    expect(() => validatePlan(plan([objective()], more), 3)).toThrow(message);
  });
});

describe('validatePlan of values that are no plans', () => {
  const head = { key: 'a', factory };
  it.each<[string, unknown, RegExp]>([
    ['an async plan', Promise.resolve(), /is a Promise; plan must not be async/],
    ['undefined', undefined, /is undefined; plan must return an object/],
    ['a plan without a method', { ...plan([objective()]), method: undefined }, /'method' undefined; expected its name/],
    ['a plan without hooks', { ...plan([objective()]), hooks: undefined }, /'hooks' is undefined; it must be a list/],
    ['a plan without objectives', { ...plan([]), objectives: undefined }, /'objectives' is undefined/],
    ['a hook without a method', plan([objective()], { hooks: [{ name: 'h' } as never] }), /hook 'h' has no method/],
    ['a weight in quotes', plan([objective({ weight: '0.5' as never })]), /'a' has weight '0\.5'; allowed: numbers/],
    ['an undefined weight', plan([objective({ weight: undefined as never })]), /'a' has weight undefined/],
    ['an objective without an ID', plan([objective({ id: undefined as never })]), /'id' undefined/],
    ['an objective without a span', plan([objective({ span: undefined as never })]), /'a' has no span/],
    [
      'a span of three',
      plan([objective({ span: [0, 0, 1] as never })]),
      /'a' has the span \[0,0,1\] of length 3; expected/,
    ],
    ['an objective without a head', plan([objective({ head: undefined as never })]), /'a' has no head with a 'key'/],
    [
      'a factory as head',
      plan([objective({ head: factory as never })]),
      /'a' has the head factory itself as head; expected { key, factory }/,
    ],
    ['a factory without build', plan([objective({ head: { ...head, factory: {} as never } })]), /no method 'build'/],
    ['phases in a list', plan([objective()], { phases: [] as never }), /'phases' has no list 'phases'/],
    ['a phase without a name', plan([objective()], phased([{} as never])), /a phase has the 'name' undefined/],
    [
      'a frozen module without a list',
      plan([objective()], phased([{ name: 'p', frozen: 1 as never }])),
      /phase 'p' has 'frozen' 1; it must be a list of indices of modules/,
    ],
    [
      'one objective in quotes',
      plan([objective()], phased([{ name: 'p', objectives: 'a' as never }])),
      /'objectives' 'a'/,
    ],
    ['state outside of a list', plan([objective()], { state: {} as never }), /'state' is \{\}; it must be a list/],
    ['state without a name', plan([objective()], { state: [{} as never] }), /a state has the 'name' undefined/],
    ['phases without a rule', plan([objective()], { phases: { phases: [] } as never }), /no method 'phaseAt'/],
  ])('rejects %s', (_, wrong, message) => {
    expect(() => validatePlan(wrong as TrainingPlan, 3)).toThrow(message);
    expect(() => validatePlan(wrong as TrainingPlan, 3)).toThrow(expect.objectContaining({ code: 'invalid-plan' }));
  });
});

describe('finalObjective', () => {
  it('places the classifier on the last module, with a span from the requested module', () => {
    expect(finalObjective(4).span).toEqual([3, 3]);
    expect(finalObjective(4, 0)).toEqual({ id: 'final', role: 'final', span: [0, 3], weight: 1, head: classifierHead });
  });
});

describe('weightAt', () => {
  it('is a constant or a function of the clock', () => {
    expect(weightAt(0.25, clockAt(9, 2, 5))).toBe(0.25);
    expect(weightAt(({ fraction }) => 2 * fraction, clockAt(5, 2, 10))).toBe(0.5);
    expect(weightAt(({ epoch }) => epoch, clockAt(5, 2, 5))).toBe(2);
  });
});

describe('properties of a plan', () => {
  const spans = (...all: Span[]) => all.map((span) => ({ role: 'independent', span }));

  it('is end-to-end if every span covers all modules', () => {
    expect(isEndToEnd(spans([0, 3]), 4)).toBe(true);
    expect(isEndToEnd(spans([0, 3], [0, 3]), 4)).toBe(true);
    expect(isEndToEnd(spans([0, 0], [0, 3]), 4)).toBe(false);
    expect(isEndToEnd(spans([0, 0]), 1)).toBe(true);
  });

  it('uses the last final objective as its classifier, else the last objective on the last module', () => {
    const final = { role: 'final', span: [1, 1] as const };
    expect(classifierObjective([final, { role: 'cascaded', span: [0, 1] }])).toBe(final);
    const all = spans([1, 1], [0, 1], [0, 0]);
    expect(classifierObjective(all)).toBe(all[1]);
    expect(classifierObjective([])).toBeUndefined();
  });
});
