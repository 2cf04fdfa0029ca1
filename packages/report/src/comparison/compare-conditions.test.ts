import type { Condition, FinishedRun, Study } from '@localgrad/experiments';
import type { RunSummary } from '@localgrad/runs';
import { hedgesG, holm, pairedTest, welchTest } from '@localgrad/statistics';
import { describe, expect, it } from 'vitest';
import { averageEffects } from './average-effects.js';
import { compareConditions } from './compare-conditions.js';

function finished(seed: number, testAccuracy: number | null): FinishedRun {
  const summary: RunSummary = {
    formatVersion: 1,
    runId: `run-${seed}`,
    config: {},
    backend: 'wasm',
    testAccuracy,
    bestTestAccuracy: testAccuracy === null ? null : testAccuracy + seed / 100,
    seconds: 1,
    totalSeconds: 1,
    peakBytes: 1,
    steps: 1,
    epochs: [],
    objectives: [],
    cost: {
      backboneParameters: 1,
      trainedParameters: 1,
      unitsOfWork: 3,
      multiplyAccumulatesPerImage: 1,
      predictedPeakBytes: 1,
    },
    probes: null,
    resumptions: 0,
  };
  return { folder: `runs/${seed}`, seed, summary, environment: null };
}

/** Seeds count from 1; null is a run without a test set. */
function condition(labels: Record<string, string>, accuracies: readonly (number | null)[]): Condition {
  const key = Object.values(labels).join('-');
  const runs = accuracies.map((accuracy, index) => finished(index + 1, accuracy));
  return { key, name: key, labels, config: {}, runs, seeds: runs.map(({ seed }) => seed) };
}

const plain = { DGL: [0.7, 0.72, 0.71, 0.69], InfoPro: [0.74, 0.73, 0.75] };
const added = { DGL: [0.78, 0.8, 0.77], InfoPro: [0.76, 0.74, 0.78, 0.75] };
const endToEnd = [0.81, 0.82, 0.8];

function study(overrides: Partial<Study> = {}): Study {
  return {
    name: 'hosts',
    title: 'Hosts',
    description: '',
    factors: ['host', 'add'],
    conditions: [
      condition({ host: 'backprop' }, endToEnd),
      condition({ host: 'DGL', add: 'none' }, plain.DGL),
      condition({ host: 'DGL', add: 'MLM' }, added.DGL),
      condition({ host: 'InfoPro', add: 'none' }, plain.InfoPro),
      condition({ host: 'InfoPro', add: 'MLM' }, added.InfoPro),
    ],
    compare: { factor: 'add', baseline: 'none' },
    reference: 'backprop',
    source: '',
    commands: [],
    ...overrides,
  };
}

describe('compareConditions', () => {
  it('tests each condition against the one that differs only in the factor', () => {
    const { byFactor } = compareConditions(study(), 'testAccuracy');
    const tests = [welchTest(added.DGL, plain.DGL), welchTest(added.InfoPro, plain.InfoPro)];
    const adjusted = holm(tests.map(({ p }) => p ?? Number.NaN));
    expect(byFactor.map(({ condition: key, against }) => [key, against])).toEqual([
      ['DGL-MLM', 'DGL-none'],
      ['InfoPro-MLM', 'InfoPro-none'],
    ]);
    expect(byFactor.map(({ runs }) => runs)).toEqual([
      [3, 4],
      [4, 3],
    ]);
    expect(byFactor.map(({ welch }) => welch)).toEqual(tests);
    expect(byFactor.map(({ adjustedP }) => adjustedP)).toEqual(adjusted);
    expect(byFactor[0]?.effect).toEqual(hedgesG(added.DGL, plain.DGL));
    expect(byFactor[0]?.sharedSeeds).toEqual([1, 2, 3]);
    expect(byFactor[0]?.paired).toEqual(pairedTest(added.DGL, plain.DGL.slice(0, 3)));
  });

  it('tests all others against the reference, as a separate family', () => {
    const { byReference } = compareConditions(study(), 'testAccuracy', { confidence: 0.9 });
    const others = [plain.DGL, added.DGL, plain.InfoPro, added.InfoPro];
    const tests = others.map((values) => welchTest(values, endToEnd, { confidence: 0.9 }));
    expect(byReference.map(({ against }) => against)).toEqual(Array(4).fill('backprop'));
    expect(byReference.map(({ welch }) => welch)).toEqual(tests);
    expect(byReference.map(({ adjustedP }) => adjustedP)).toEqual(holm(tests.map(({ p }) => p ?? Number.NaN)));
  });

  it('compares the requested measure, over the runs that have it', () => {
    const conditions = [condition({ add: 'none' }, [0.5, null, 0.6]), condition({ add: 'MLM' }, [0.75, 0.8, 0.7])];
    const { byFactor } = compareConditions(
      study({ conditions, factors: ['add'], reference: null }),
      'bestTestAccuracy',
    );
    expect(byFactor[0]?.runs).toEqual([3, 2]);
    expect(byFactor[0]?.sharedSeeds).toEqual([1, 3]);
    expect(byFactor[0]?.welch).toEqual(welchTest([0.76, 0.8 + 2 / 100, 0.7 + 3 / 100], [0.51, 0.6 + 3 / 100]));
  });

  it('has no p value for fewer than two runs, which do not count in the family', () => {
    const conditions = [
      condition({ add: 'none' }, plain.DGL),
      condition({ add: 'MLM' }, added.DGL),
      condition({ add: 'LAM' }, [0.9]),
      condition({ add: 'MLAAN' }, []),
    ];
    const { byFactor } = compareConditions(study({ conditions, factors: ['add'], reference: null }), 'testAccuracy');
    const [tested, single, none] = byFactor;
    expect(tested?.adjustedP).toBe(welchTest(added.DGL, plain.DGL).p);
    expect(single).toMatchObject({ runs: [1, 4], adjustedP: null, welch: { difference: 0.9 - 0.705, p: null } });
    expect(none).toMatchObject({ runs: [0, 4], adjustedP: null, welch: null, effect: null, paired: null });
  });

  it('is empty if a study compares nothing', () => {
    const comparisons = compareConditions(study({ compare: null, reference: null }), 'testAccuracy');
    const families = { byFactor: [], byReference: [], byPart: [] };
    expect(comparisons).toEqual({ measure: 'testAccuracy', confidence: 0.95, ...families });
  });

  it('tests a value that combines others against each of these, all else equal', () => {
    const both = [0.83, 0.82, 0.81];
    const conditions = [
      ...study().conditions,
      condition({ host: 'DGL', add: 'LAM' }, plain.InfoPro),
      condition({ host: 'DGL', add: 'MLM + LAM' }, both),
      condition({ host: 'DGL', add: 'MLM + other' }, both),
    ];
    const { byPart } = compareConditions(study({ conditions }), 'testAccuracy');
    expect(byPart.map(({ condition: key, against }) => [key, against])).toEqual([
      ['DGL-MLM + LAM', 'DGL-MLM'],
      ['DGL-MLM + LAM', 'DGL-LAM'],
    ]);
    const tests = [welchTest(both, added.DGL), welchTest(both, plain.InfoPro)];
    expect(byPart.map(({ adjustedP }) => adjustedP)).toEqual(holm(tests.map(({ p }) => p ?? Number.NaN)));
  });

  it('does not test conditions with identical runs for each seed', () => {
    const conditions = [...study().conditions, condition({ host: 'recomputed' }, endToEnd)];
    const { byReference } = compareConditions(study({ conditions }), 'testAccuracy');
    const same = byReference.at(-1);
    expect(same).toMatchObject({ condition: 'recomputed', adjustedP: null, effect: null });
    expect(same?.welch).toMatchObject({ difference: 0, p: null, low: null });
    const without = compareConditions(study(), 'testAccuracy').byReference;
    expect(byReference.slice(0, -1)).toEqual(without);
  });

  it('rejects unknown names and ambiguous baselines', () => {
    const compare = (overrides: Partial<Study>) => () => compareConditions(study(overrides), 'testAccuracy');
    expect(compare({ compare: { factor: 'adds', baseline: 'none' } })).toThrow("Unknown factor to compare 'adds'");
    expect(compare({ compare: { factor: 'add', baseline: 'nothing' } })).toThrow("Unknown baseline of factor 'add'");
    expect(compare({ reference: 'end-to-end' })).toThrow("Unknown reference condition 'end-to-end'");
    const twice = [condition({ add: 'none' }, []), condition({ add: 'none' }, []), condition({ add: 'MLM' }, [])];
    expect(compare({ conditions: twice, reference: null })).toThrow('are both a baseline of');
  });
});

describe('averageEffects', () => {
  it('is the paired test of the means over settings, for the seeds of all settings', () => {
    const [effect, ...others] = averageEffects(study(), 'testAccuracy');
    expect(others).toEqual([]);
    expect(effect).toMatchObject({ value: 'MLM', settings: 2, seeds: [1, 2, 3] });
    const meanOfHosts = ({ DGL, InfoPro }: typeof plain) =>
      [0, 1, 2].map((seed) => ((DGL[seed] ?? 0) + (InfoPro[seed] ?? 0)) / 2);
    const expected = pairedTest(meanOfHosts(added), meanOfHosts(plain));
    expect(effect?.test?.difference).toBeCloseTo(expected.difference, 12);
    expect(effect?.test?.low).toBeCloseTo(expected.low ?? Number.NaN, 12);
    expect(effect?.adjustedP).toBeCloseTo(expected.p ?? Number.NaN, 12);
  });

  it('is empty without a rule, and has no test without shared seeds', () => {
    expect(averageEffects(study({ compare: null }), 'testAccuracy')).toEqual([]);
    const { conditions } = study();
    const apart = conditions.map((one, index) =>
      index === 2 ? { ...one, runs: one.runs.map((run) => ({ ...run, seed: run.seed + 10 })) } : one,
    );
    expect(averageEffects(study({ conditions: apart }), 'testAccuracy')).toEqual([
      { value: 'MLM', settings: 2, seeds: [], test: null, adjustedP: null },
    ]);
  });
});
