import type { Condition, FinishedRun, Study } from '@localgrad/experiments';
import { expect, it } from 'vitest';
import { viewOf } from './condition-rows.js';
import { equalCompute } from './cost-findings.js';
import { findings } from './findings.js';
import { syntheticStudy } from './study.fixture.js';

const whole = syntheticStudy({ hosts: ['DGL', 'greedy'], modules: [4], additions: 2, epochs: 1 });

interface Result {
  readonly accuracy: number;
  readonly unitsOfWork: number;
}

/** The conditions of the study with these results, by name; the others are left out. */
function withResults(results: Readonly<Record<string, Result>>): Condition[] {
  return whole.conditions.flatMap((condition) => {
    const result = results[condition.name];
    if (result === undefined) return [];
    return [{ ...condition, runs: condition.runs.map((run, index) => resultOf(run, index, result)) }];
  });
}

function resultOf(run: FinishedRun, index: number, { accuracy, unitsOfWork }: Result): FinishedRun {
  const cost = { ...run.summary.cost, unitsOfWork, multiplyAccumulatesPerImage: 1e6 * unitsOfWork };
  return { ...run, summary: { ...run.summary, testAccuracy: accuracy + 0.001 * index, cost } };
}

it('compares with every condition that needs no more compute, those with the same value included', () => {
  const conditions = withResults({
    'DGL, K = 4': { accuracy: 0.3, unitsOfWork: 3 },
    'greedy, K = 4': { accuracy: 0.3, unitsOfWork: 3 },
    'DGL + MLM, K = 4': { accuracy: 0.5, unitsOfWork: 4.47 },
    'greedy + MLM, K = 4': { accuracy: 0.9, unitsOfWork: 3.63 },
  });
  const [finding] = equalCompute(viewOf({ ...whole, conditions, reference: null }));
  expect(finding?.details).toHaveLength(1);
  expect(finding?.details[0]).toContain(
    'MLM: more accurate than the best other condition in 1 of 2 settings, less accurate in 1, no significant difference in 0; best case, host greedy, modules 4',
  );
});

it('says that conditions with one run are not tested, in place of no significant difference', () => {
  const conditions = withResults({
    'DGL, K = 4': { accuracy: 0.3, unitsOfWork: 3 },
    'DGL + MLM, K = 4': { accuracy: 0.5, unitsOfWork: 4.47 },
  }).map((condition) => ({ ...condition, runs: condition.runs.slice(0, 1) }));
  const [finding] = equalCompute(viewOf({ ...whole, conditions, reference: null }));
  expect(finding?.details[0]).toMatch(
    /MLM: more accurate .* in 0 of 1 setting, less accurate in 0, no significant difference in 0, not tested in 1; .* \(not tested\)$/,
  );
});

it('does not count the reference among the local conditions that reach it', () => {
  const conditions = withResults({
    'DGL, K = 4': { accuracy: 0.7, unitsOfWork: 3 },
    'greedy, K = 4': { accuracy: 0.6, unitsOfWork: 3 },
    'DGL + MLM, K = 4': { accuracy: 0.7, unitsOfWork: 4 },
  });
  const reference = conditions[0]?.key ?? null;
  const detailsOf = (more: Partial<Study>) => {
    const found = findings(viewOf({ ...whole, conditions, reference, ...more }));
    return found.find(({ text }) => text.includes(' reaches ')) ?? expect.fail('no finding');
  };
  const { text, details } = detailsOf({ compare: { factor: 'host', baseline: 'greedy' } });
  expect(text).toContain('1 of 2 local conditions with the same number of epochs has a mean inside or above');
  expect(details.map((detail) => detail.split(';')[0])).toEqual(['DGL: 1 of 1 setting', 'greedy: 0 of 1 setting']);
  expect(details.join()).not.toContain('not compared');
  const alone = detailsOf({ compare: null });
  expect(alone.details.map((detail) => detail.split(':')[0])).toEqual(['DGL + MLM, K = 4', 'greedy, K = 4']);
});

it('compares the costs of the other conditions of a value with those of a reference that has this value', () => {
  const conditions = withResults({
    'DGL, K = 4': { accuracy: 0.7, unitsOfWork: 3 },
    'DGL + MLM, K = 4': { accuracy: 0.7, unitsOfWork: 6 },
  });
  const compare = { factor: 'host', baseline: 'DGL' };
  const found = findings(viewOf({ ...whole, conditions, reference: conditions[0]?.key ?? null, compare }));
  const costs = found.find(({ text }) => text.includes(' of peak memory and ')) ?? expect.fail('no finding');
  expect(costs.details).toEqual([expect.stringMatching(/^DGL: .* the time and 2\.00\s× the compute of DGL, K = 4$/)]);
});
