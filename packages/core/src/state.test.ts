import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { at, get } from './checked.js';
import { clockAt } from './clock.js';
import { Parameter } from './parameter.js';
import { StoredPlanState } from './state.js';

beforeAll(() => tf.setBackend('cpu'));

describe('StoredPlanState', () => {
  const create = () => {
    const total = new Parameter('state.total', tf.zeros([2]), 'state');
    const declarations = [
      { name: 'count', initial: 0 },
      { name: 'best', initial: null },
      { name: 'total', shape: [2], initializer: () => new Float32Array(2) },
    ];
    return { total, state: new StoredPlanState(declarations, new Map([['total', total]])) };
  };

  it('stores declared tensors and values, and restores values from JSON', () => {
    const { state, total } = create();
    state.set('count', 3);
    expect([state.get('count'), state.get('best'), state.tensor('total')]).toEqual([3, null, total]);
    const other = create().state;
    other.restore(JSON.parse(JSON.stringify(state.values())));
    expect(other.values()).toEqual({ count: 3, best: null });
  });

  it.each([
    [Number.NaN, 'count is NaN'],
    [Number.POSITIVE_INFINITY, 'count is Infinity'],
    [undefined, 'count is undefined'],
    [() => 1, 'count is a function'],
    [[1, [2, Number.NaN]], 'count[1][1] is NaN'],
    [{ best: { epoch: undefined } }, 'count.best.epoch is undefined'],
    [new Map([['a', 1]]), 'count is a Map'],
    [new Float32Array(2), 'count is a Float32Array'],
  ])('rejects %s, which JSON would change', (value, problem) => {
    const { state } = create();
    const message = `State value 'count' cannot be stored in checkpoints: ${problem}; allowed: strings, finite numbers`;
    expect(() => state.set('count', value as never)).toThrow(message);
    expect(state.get('count')).toBe(0);
    expect(() => new StoredPlanState([{ name: 'count', initial: value as never }])).toThrow(message);
  });

  it('accepts whatever JSON restores', () => {
    const { state } = create();
    const value = { list: [1, 'a', null, true], nested: { zero: -1.5e-300 }, bare: Object.create(null) };
    state.set('count', value);
    expect(JSON.parse(JSON.stringify(state.get('count')))).toEqual(value);
  });

  it('rejects undeclared names, and lists how a saved state differs', () => {
    const { state } = create();
    expect(() => state.get('total')).toThrow(/no state value 'total'; declared: count, best/);
    expect(() => state.set('steps', 1)).toThrow(/no state value 'steps'/);
    expect(() => state.tensor('count')).toThrow(/no state tensor 'count'; declared: total/);
    expect(() => state.restore({ count: 1, worst: 2 })).toThrow(/'best' is missing; 'worst' is unknown/);
    expect(state.get('count')).toBe(0);
  });
});

describe('clockAt', () => {
  it('counts steps from 0 and epochs from 1', () => {
    expect([0, 3, 4, 7].map((step) => clockAt(step, 2, 4))).toEqual([
      { step: 0, steps: 8, epoch: 1, epochs: 2, fraction: 0 },
      { step: 3, steps: 8, epoch: 1, epochs: 2, fraction: 0.375 },
      { step: 4, steps: 8, epoch: 2, epochs: 2, fraction: 0.5 },
      { step: 7, steps: 8, epoch: 2, epochs: 2, fraction: 0.875 },
    ]);
  });
});

describe('checked access', () => {
  it('returns existing elements, and reports missing ones', () => {
    expect([at(['a', 'b'], 1, 'block'), at(Float32Array.of(2), 0, 'value')]).toEqual(['b', 2]);
    expect(at([undefined], 0, 'block')).toBeUndefined();
    expect(() => at(['a'], 1, 'block')).toThrow('There is no block 1; there are 1.');
    expect(() => at(['a'], -1, 'block')).toThrow('There is no block -1');
    expect(get(new Map([['a', 1]]), 'a', 'loss')).toBe(1);
    expect(() => get(new Map(), 'a', 'loss')).toThrow("There is no loss 'a'.");
  });
});
