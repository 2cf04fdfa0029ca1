import { sgd } from '@localgrad/nn/optimizers';
import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  balancedPlacement,
  checkDivisible,
  checkOptimizer,
  groupsToDivide,
  indivisibleGroups,
  moduleWork,
} from './divide.js';
import { formatPlacement, parsePlacement } from './placement.js';
import { build } from './plan.fixture.js';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

const compiledOf = (method: string, modules = 7) => build({ method, backbone: 'resnet14(width: 4)', modules }).compiled;

describe('balancedPlacement', () => {
  it.each([1, 2, 3, 4, 7])('finds the division with the least largest work among %i workers', (workers) => {
    const compiled = compiledOf('dgl');
    const work = moduleWork(compiled);
    const loadOf = (starts: readonly number[]) => {
      const ends = [...starts.slice(1), work.length];
      return Math.max(...starts.map((start, i) => work.slice(start, ends[i]).reduce((a, b) => a + b, 0)));
    };
    const placement = balancedPlacement(compiled, workers);
    expect(placement).toHaveLength(workers);
    /** Every choice of the first modules of the groups. */
    const choices = (from: number, count: number): number[][] =>
      count === 0
        ? [[]]
        : Array.from({ length: work.length - from }, (_, i) => from + i).flatMap((start) =>
            choices(start + 1, count - 1).map((rest) => [start, ...rest]),
          );
    const least = Math.min(...choices(1, workers - 1).map((rest) => loadOf([0, ...rest])));
    expect(loadOf(placement.map(({ range }) => range[0]))).toBe(least);
  });

  it('prefers cuts that nothing crosses backward', () => {
    const compiled = compiledOf('mlm(dgl, within: stage)');
    expect(formatPlacement(balancedPlacement(compiled, 4))).toBe('0 1-2 3-4 5-6');
    expect(balancedPlacement(compiled, 5)).toHaveLength(5);
    expect(balancedPlacement(compiledOf('backprop'), 2)).toHaveLength(2);
  });

  it('keeps modules together that share weights', () => {
    const compiled = compiledOf('lam(dgl, share: stage, emaBlocks: none)');
    const groups = indivisibleGroups(compiled);
    expect(groups.length).toBeGreaterThan(1);
    expect(groups.length).toBeLessThan(7);
    expect(() => balancedPlacement(compiled, groups.length + 1)).toThrow(
      /'workers' is \d; allowed: 1 to \d, because 'lam\(dgl\)' can be divided into modules [-\d, ]+ only/,
    );
  });
});

describe('checkDivisible', () => {
  const check = (method: string, text: string) => checkDivisible(compiledOf(method), parsePlacement(text, 7));

  it.each(['dgl', 'mlm(dgl)', 'lam(dgl)', 'lam(dgl, emaTime: beforeStep)', 'mlaan(dgl)', 'backprop'])(
    'allows every cut of %s',
    (method) => {
      expect(() => check(method, '0-3 4-6')).not.toThrow();
    },
  );

  it('names averages that cannot follow a weight of another worker', () => {
    expect(() => check('lam(dgl, emaTime: beforeStep, emaTrainable: true)', '0-3 4-6')).toThrow(
      /head 'module\d\.leap' on module \d follows '[\w.]+' of module \d across the cut before module 4, and its average is trained and moves before the update; allowed: one worker/,
    );
  });

  it('names weights on both sides', () => {
    expect(() => check('lam(dgl, share: stage, emaBlocks: none)', '0 1-6')).toThrow(
      /'heads\.leap0\.[\w.]+' is used on both sides of the cut before module 1/,
    );
  });

  it('rejects hooks, which may read all weights', () => {
    const compiled = compiledOf('dgl');
    const hooked = { ...compiled, plan: { ...compiled.plan, hooks: [{ name: 'clip', afterStep: () => {} }] } };
    expect(() => checkDivisible(hooked, parsePlacement('0-3 4-6', 7))).toThrow(
      /hook 'clip' of 'dgl' may read the weights of all modules/,
    );
    expect(() => checkDivisible(hooked, parsePlacement('0-6', 7))).not.toThrow();
    // Before the groups are timed.
    expect(() => groupsToDivide(hooked, 2)).toThrow(/hook 'clip' of 'dgl'/);
    expect(groupsToDivide(hooked, 1)).toHaveLength(7);
  });
});

describe('checkOptimizer', () => {
  it('rejects optimizers that need all gradients at once', () => {
    const optimizer = sgd({ learningRate: 0.1 });
    expect(() => checkOptimizer(optimizer, 2)).not.toThrow();
    const whole = Object.assign(Object.create(optimizer), { needsWholeStep: true });
    expect(() => checkOptimizer(whole, 2)).toThrow(/needs the gradients of all modules in one call.*allowed: 1 worker/);
    expect(() => checkOptimizer(whole, 1)).not.toThrow();
  });
});
