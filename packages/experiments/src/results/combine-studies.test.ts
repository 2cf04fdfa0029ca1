import { describe, expect, it } from 'vitest';
import { combineStudies } from './combine-studies.js';
import type { Condition, FinishedRun, Study } from './study.js';

const run = (seed: number, folder: string) => ({ seed, folder }) as FinishedRun;

const condition = (name: string, key: string, seeds: number[], folder: string): Condition => ({
  name,
  key,
  labels: { host: name },
  config: {},
  seeds,
  runs: seeds.map((seed) => run(seed, folder)),
});

const study = (name: string, conditions: readonly Condition[], more: Partial<Study> = {}): Study => ({
  name,
  title: name,
  description: '',
  factors: ['host'],
  conditions,
  compare: { factor: 'host', baseline: 'a' },
  reference: null,
  source: `name: ${name}\n`,
  commands: [`run ${name}`],
  ...more,
});

const combine = (...studies: Study[]) => combineStudies(studies.map((one) => ({ label: one.name, study: one })));

describe('combineStudies', () => {
  it('returns a single study unchanged', () => {
    const only = study('one', [condition('a', 'k', [1], 'x')]);
    expect(combine(only)).toEqual({ study: only, notices: [] });
  });

  it('merges the runs of equal conditions, and counts each seed once', () => {
    const { study: both, notices } = combine(
      study('one', [condition('a', 'k', [2, 1], 'first'), condition('b', 'l', [1], 'first')]),
      study('two', [condition('a', 'k', [2, 3], 'second')]),
    );
    expect(notices).toEqual([]);
    expect(both.conditions.map(({ name, seeds }) => [name, seeds])).toEqual([
      ['a', [1, 2, 3]],
      ['b', [1]],
    ]);
    expect(both.conditions[0]?.runs.map(({ seed, folder }) => [seed, folder])).toEqual([
      [1, 'first'],
      [2, 'first'],
      [3, 'second'],
    ]);
    expect(both).toMatchObject({ name: 'one+two', factors: ['host'], compare: { factor: 'host', baseline: 'a' } });
    expect(both.source).toBe('# one\nname: one\n\n# two\nname: two\n');
  });

  it('labels conditions with their sweep where different ones have the same name', () => {
    const { study: both } = combine(
      study('short', [condition('a', 'k3', [1], 'x'), condition('b', 'l3', [1], 'x')]),
      study('long', [condition('a', 'k12', [1], 'y')]),
    );
    expect(both.factors).toEqual(['sweep', 'host']);
    expect(both.conditions.map(({ name, labels }) => [name, labels.sweep])).toEqual([
      ['short: a', 'short'],
      ['short: b', 'short'],
      ['long: a', 'long'],
    ]);
  });

  it('omits comparisons that the sweeps do not agree on, and says so', () => {
    const { study: both, notices } = combine(
      study('one', [condition('a', 'k', [1], 'x')], { reference: 'k' }),
      study('two', [condition('b', 'l', [1], 'y')], { compare: { factor: 'host', baseline: 'b' } }),
    );
    expect([both.compare, both.reference]).toEqual([null, 'k']);
    expect(notices).toEqual(['The sweeps have different comparisons, so that none is reported.']);
  });
});
