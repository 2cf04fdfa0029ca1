import { describe, expect, it } from 'vitest';
import { chosenConditions, chosenTasks } from './chosen-conditions.js';

const conditions = ['DGL, K = 4', 'DGL, K = 8', 'end to end', 'a*b'].map((name, index) => ({
  name,
  key: String(index),
  labels: {},
  config: {},
}));
const tasks = [0, 1, 2, 3, 4, 5, 6, 7].map((index) => ({
  index,
  runId: String(index),
  name: '',
  condition: String(index % 4),
  seed: 1,
  config: {},
}));

describe('chosenConditions', () => {
  it.each([
    [['DGL*'], ['DGL, K = 4', 'DGL, K = 8']],
    [['*K = ?'], ['DGL, K = 4', 'DGL, K = 8']],
    [
      ['end to end', 'DGL, K = 8'],
      ['DGL, K = 8', 'end to end'],
    ],
    [['a*b'], ['a*b']],
    [undefined, ['DGL, K = 4', 'DGL, K = 8', 'end to end', 'a*b']],
  ])('finds %j', (patterns, names) => {
    expect(chosenConditions(conditions, patterns).map(({ name }) => name)).toEqual(names);
  });

  it('rejects a pattern without a match, also beside one that matches', () => {
    expect(() => chosenConditions(conditions, ['DGL*', 'end to and'])).toThrow(
      "Unknown condition 'end to and'. Did you mean 'end to end'?",
    );
    expect(() => chosenConditions(conditions, ['DGL'])).toThrow("Unknown condition 'DGL'");
  });

  it('selects all runs of these conditions', () => {
    expect(chosenTasks({ conditions, tasks }, ['DGL*'])).toEqual([0, 1, 4, 5]);
    expect(chosenTasks({ conditions, tasks }, undefined)).toBeUndefined();
  });
});
