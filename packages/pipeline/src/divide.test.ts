import { sgd } from '@localgrad/nn/optimizers';
import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { balancedPlacement, checkDivisible, checkOptimizer, indivisibleGroups, moduleWork } from './divide.js';
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

  it('keeps modules together that a gradient connects', () => {
    const compiled = compiledOf('mlm(dgl, within: stage)');
    expect(indivisibleGroups(compiled)).toEqual([
      [0, 0],
      [1, 2],
      [3, 4],
      [5, 6],
    ]);
    expect(formatPlacement(balancedPlacement(compiled, 4))).toBe('0 1-2 3-4 5-6');
    expect(() => balancedPlacement(compiled, 5)).toThrow(
      /'workers' is 5; allowed: 1 to 4, because 'mlm\(dgl\)' can be divided into modules 0, 1-2, 3-4, 5-6 only/,
    );
  });

  it('explains why a plan cannot be divided at all', () => {
    expect(() => balancedPlacement(compiledOf('backprop'), 2)).toThrow(
      /allowed: 1, because nothing can be divided: the loss 'final' of 'backprop' trains modules 0 to 6/,
    );
  });
});

describe('checkDivisible', () => {
  const check = (method: string, text: string) => checkDivisible(compiledOf(method), parsePlacement(text, 7));

  it('names the loss whose gradient crosses a cut, and possible cuts', () => {
    expect(() => check('mlm(dgl, within: stage)', '0-3 4-6')).toThrow(
      /placement '0-3 4-6': the loss 'module4.cascaded' of 'mlm\(dgl\)' trains modules 3 to 4, so its gradient crosses the cut before module 4; allowed: cuts before module 1, module 3, module 5, e\.g\. '0 1-2 3-4 5-6'/,
    );
    expect(() => check('mlm(dgl, within: stage)', '0-2 3-6')).not.toThrow();
  });

  it('names the head whose average follows a weight of another worker', () => {
    expect(() => check('lam(dgl)', '0-3 4-6')).toThrow(
      /head 'module\d\.leap' on module \d averages '[\w.]+' of module \d after each step, across the cut before module 4; allowed: one worker/,
    );
    expect(() => check('lam(dgl, emaBlocks: none)', '0-3 4-6')).not.toThrow();
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
