import { cifarResNet } from '@localgrad/backbones';
import { selectBackend } from '@localgrad/backends';
import { standardCatalog } from '@localgrad/catalog';
import { createScope } from '@localgrad/nn/random';
import { formatBytes } from '@localgrad/train';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compositions, subsetsOf } from './compared-cuts.js';
import { CutModel } from './cut-model.js';
import { budgetBytesOf, chooseWithinBudget } from './memory-budget.js';
import { type Trial, TrialPlans } from './trial-plans.js';

let backend: Awaited<ReturnType<typeof selectBackend>>;
beforeAll(async () => {
  backend = await selectBackend('cpu');
}, 60_000);
afterAll(() => backend.dispose());

/** Seven blocks whose activations outweigh the weights. */
function trialsOf(method: string, accumulate = 1): TrialPlans {
  const scope = createScope(1, { zeros: true });
  const backbone = cifarResNet({ depth: 14, width: 4 }).build({ inputShape: [16, 16, 3], classes: 10, scope });
  return new TrialPlans({ backbone, method: standardCatalog.method(method), batch: 24, accumulate });
}

/** Every cut, with every choice of modules to recompute. */
function everyPlan(trials: TrialPlans): Trial[] {
  const { length } = trials.options.backbone.blocks;
  const counts = Array.from({ length }, (_, index) => index + 1).slice(trials.isEndToEnd ? 0 : 1);
  return counts
    .flatMap((modules) => compositions(length, modules))
    .flatMap((partition) => {
      const stored = trials.measure(partition);
      if (stored === undefined) return [];
      return subsetsOf(stored.reopened).flatMap((recompute) => trials.measure(partition, { recompute }) ?? []);
    });
}

const methods = [
  'backprop',
  'greedy',
  'dgl',
  'predsim',
  'infopro',
  'mono-forward',
  'man(greedy)',
  'lam(greedy)',
  'mlm(greedy)',
  'mlm(dgl, window: 3)',
  'mlaan(greedy)',
  'lean-mlaan(greedy)',
  'auglocal',
  'mlm(greedy, window: 2, within: stage)',
  'dni(kernelSize: 3)',
];
const inexact = ['dni(kernelSize: 3)', 'lean-mlaan(greedy)', 'auglocal', 'mlm(greedy, window: 2, within: stage)'];

describe('chooseWithinBudget', () => {
  it.each([...methods.map((method) => [method, 1] as const), ['mlm(greedy)', 3], ['backprop', 2]] as const)(
    '%s in %i micro-batches: has the least work of all cuts with all choices of recomputation, and the lowest peak',
    { timeout: 240_000 },
    (method, accumulate) => {
      const every = everyPlan(trialsOf(method, accumulate));
      const peaks = every.map(({ peakBytes }) => peakBytes).sort((a, b) => a - b);
      const lowest = Number(peaks[0]);
      for (const share of [0, 0.02, 0.1, 0.3, 0.6, 1]) {
        const budget = Math.ceil(lowest + share * (Number(peaks.at(-1)) - lowest));
        const least = Math.min(...every.flatMap((one) => (one.peakBytes <= budget ? [one.unitsOfWork] : [])));
        const chosen = chooseWithinBudget(trialsOf(method, accumulate), budget, formatBytes);
        expect(chosen.isOptimal || inexact.includes(method)).toBe(true);
        expect(chosen.unitsOfWork).toBeCloseTo(least, 9);
        expect(chosen.peakBytes).toBeLessThanOrEqual(budget);
      }
      const message = String(caughtBy(() => chooseWithinBudget(trialsOf(method, accumulate), lowest - 1, formatBytes)));
      const smallest = /budget of at least ([\d.]+(?:KiB|MiB))/.exec(message)?.[1] ?? '';
      expect(budgetBytesOf(smallest)).toBeGreaterThanOrEqual(lowest);
      expect(budgetBytesOf(smallest)).toBeLessThan(1.01 * lowest);
    },
  );

  it('has a model that predicts every plan of its methods', { timeout: 240_000 }, () => {
    for (const method of methods.filter((one) => !inexact.includes(one))) {
      const trials = trialsOf(method);
      const model = CutModel.of(trials);
      const plans = everyPlan(trials).filter((_, index) => index % 7 === 0);
      const wrong = plans
        .filter((plan) => model?.agrees(plan) !== true)
        .map(({ partition, memory }) => JSON.stringify([partition, memory]));
      expect([method, wrong]).toEqual([method, []]);
    }
  });
});

function caughtBy(act: () => unknown): unknown {
  try {
    return act();
  } catch (error) {
    return error;
  }
}
