import type { Condition, FinishedRun, Study } from '@localgrad/experiments';
import { describe, expect, it } from 'vitest';
import { viewOf } from './condition-rows.js';
import { bestFirst } from './finding.js';
import { findings } from './findings.js';
import { syntheticStudy } from './study.fixture.js';
import { wordsOf } from './text/metric-words.js';
import { decimals, pValue } from './text/wording.js';

const whole = syntheticStudy({ hosts: ['DGL', 'greedy'], modules: [4], additions: 3, epochs: 1 });

/** The study with these accuracies by name, one per seed; conditions without any are left out. */
function studyOf(accuracies: Readonly<Record<string, readonly number[]>>, more: Partial<Study> = {}): Study {
  const conditions = whole.conditions.flatMap((condition): Condition[] => {
    const values = accuracies[condition.name];
    if (values === undefined) return [];
    const runs = values.flatMap((testAccuracy, index) => {
      const run = condition.runs[index];
      return run === undefined ? [] : [withSummary(run, { testAccuracy })];
    });
    return [{ ...condition, runs }];
  });
  return { ...whole, conditions, reference: null, ...more };
}

function withSummary(run: FinishedRun, more: Partial<FinishedRun['summary']>): FinishedRun {
  return { ...run, summary: { ...run.summary, ...more } };
}

/** The sentence that contains a text. */
function sentence(study: Study, part: string) {
  const found = findings(viewOf(study)).find(({ text }) => text.includes(part));
  return found ?? expect.fail(`no sentence with ${part}`);
}

const values = {
  'DGL, K = 4': [0.5, 0.51, 0.52],
  'DGL + MLM, K = 4': [0.7, 0.71, 0.72],
  'greedy, K = 4': [0.4],
  'greedy + MLM, K = 4': [0.8],
};

describe('sentences about a factor', () => {
  it('distinguish settings that are not tested from those without a difference', () => {
    expect(sentence(studyOf(values), 'MLM').text).toMatch(/^MLM helps in 1 of 2 settings, not tested elsewhere,/);
    const close = { ...values, 'DGL + MLM, K = 4': [0.5, 0.52, 0.51] };
    expect(sentence(studyOf(close), 'MLM').text).toMatch(
      /^MLM: no difference shown in 1 of 2 settings, not tested elsewhere,/,
    );
    const tested = { ...values, 'greedy, K = 4': [0.4, 0.41], 'greedy + MLM, K = 4': [0.4, 0.42] };
    expect(sentence(studyOf(tested), 'MLM').text).toMatch(
      /^MLM helps in 1 of 2 settings, no difference shown elsewhere,/,
    );
  });

  it('do not say that no run differs where constant results do', () => {
    const constant = studyOf({ 'DGL, K = 4': [0.5, 0.5], 'DGL + MLM, K = 4': [0.7, 0.7] });
    expect(sentence(constant, 'MLM').text).toBe(
      'MLM against none, all else equal: not tested, which takes two runs on each side and results that vary between seeds.',
    );
  });

  it('count only the tests over which p values are adjusted', () => {
    const labels = { MLM: 'MLM', LAM: 'LAM', MLAAN: 'MLM + LAM' } as Readonly<Record<string, string>>;
    const four = syntheticStudy({ hosts: ['DGL', 'greedy'], modules: [4], epochs: 1 });
    const combined = four.conditions.map((condition) => ({
      ...condition,
      labels: {
        ...condition.labels,
        ...(condition.labels.add === undefined ? {} : { add: labels[condition.labels.add] ?? 'none' }),
      },
      // One host has one run per condition.
      runs: condition.labels.host === 'greedy' ? condition.runs.slice(0, 1) : condition.runs,
    }));
    const { text } = sentence({ ...four, conditions: combined }, 'MLM + LAM is ');
    expect(text).toMatch(
      /alone in \d of 2 settings, not tested in 1 and better than LAM alone in \d of 2 settings, not tested in 1 /,
    );
    expect(text).toContain("Holm's correction for 2 tests");
    // Averages of LAM, whose runs are those of the baseline, are not tested.
    const same = studyOf({
      ...{ 'DGL, K = 4': [0.5, 0.51], 'greedy, K = 4': [0.4, 0.43] },
      ...{ 'DGL + MLM, K = 4': [0.7, 0.72], 'greedy + MLM, K = 4': [0.6, 0.65] },
      ...{ 'DGL + LAM, K = 4': [0.5, 0.51], 'greedy + LAM, K = 4': [0.4, 0.43] },
    });
    expect(sentence(same, 'MLM').details[0]).toContain('paired by seed (2 seeds, Holm over 1 average)');
  });
});

describe('sentences about the reference', () => {
  const all = {
    ...{ 'DGL, K = 4': [0.9, 0.91], 'DGL + MLM, K = 4': [0.92, 0.93] },
    ...{ 'greedy + MLM, K = 4': [0.95, 0.96], 'end to end': [0.6, 0.61], 'end to end recomputed': [0.6, 0.61] },
  };
  const study = studyOf(all, { reference: whole.reference });
  const changed = (name: string, more: object): Study => ({
    ...study,
    conditions: study.conditions.map((one) =>
      one.name === name ? { ...one, config: { ...one.config, ...more } } : one,
    ),
  });

  it('count the same conditions in their details, and call the best of them so', () => {
    const { text, details } = sentence(changed('greedy + MLM, K = 4', { epochs: 300 }), ' reaches ');
    expect(text).toContain('2 of 2 local conditions with the same number of epochs');
    expect(details).toEqual([
      expect.stringMatching(/^none: 1 of 1 setting; best: host DGL, modules 4, \+30\.00/),
      expect.stringMatching(/^MLM: 1 of 1 setting; best: host DGL, modules 4, \+32\.00/),
    ]);
  });

  it('compare costs with a recomputed one only if it is the same training', () => {
    const part = 'and to the same with activation recomputation';
    expect(sentence(study, ' of peak memory and ').text).toContain(part);
    const longer = sentence(changed('end to end recomputed', { epochs: 300 }), ' of peak memory and ');
    expect(longer.text).not.toContain(part);
    expect(longer.details.join()).not.toContain('recomputed');
  });

  it('have no costs before it has a result', () => {
    const without = {
      ...study,
      conditions: study.conditions.map((one) => (one.name === 'end to end' ? { ...one, runs: [] } : one)),
    };
    expect(
      findings(viewOf(without))
        .map(({ text }) => text)
        .join(),
    ).not.toContain(' of peak memory and ');
  });
});

it('lists conditions without a value after all others, whatever is better', () => {
  const rows = viewOf(studyOf({ 'DGL, K = 4': [], 'greedy, K = 4': [0.4], 'DGL + MLM, K = 4': [0.7] })).rows;
  const names = (lowerIsBetter: boolean) =>
    bestFirst(rows, wordsOf({ name: 'error', lowerIsBetter })).map(({ condition }) => condition.name);
  expect(names(true)).toEqual(['greedy, K = 4', 'DGL + MLM, K = 4', 'DGL, K = 4']);
  expect(names(false)).toEqual(['DGL + MLM, K = 4', 'greedy, K = 4', 'DGL, K = 4']);
});

it('rounds no p value across the level of significance, and no ratio to zero', () => {
  expect([0.0499, 0.04996, 0.0500004, 0.05].map(pValue)).toEqual(['0.0499', '0.04996', '0.050', '0.050']);
  expect([3, 0.1, 0.0033333].map(decimals)).toEqual(['3.00', '0.10', '0.0033']);
});
