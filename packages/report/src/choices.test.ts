import type { Condition, FinishedRun, Study } from '@localgrad/experiments';
import { accuracyMetric } from '@localgrad/train';
import { describe, expect, it } from 'vitest';
import { withChoices } from './choices.js';
import { viewOf } from './condition-rows.js';
import { findings } from './findings.js';
import { frontierOf } from './frontier.js';
import { resultColumns } from './results-table.js';
import { syntheticStudy } from './study.fixture.js';
import { studyResults } from './study-results.js';
import { resultsCsv, runsCsv } from './text/csv.js';
import { latexOf } from './text/latex.js';

const whole = syntheticStudy({ hosts: ['DGL'], modules: [4], epochs: 1, seeds: 4 });

/** The study with two values of a key for each condition; `gains` are what the second adds to the accuracy. */
function tuned(gains: readonly number[]): Study {
  const conditions = whole.conditions.flatMap((condition, index): Condition[] =>
    ['0.1', '0.03'].map((rate, place) => ({
      ...condition,
      key: `${condition.key}-${rate}`,
      name: `${condition.name}, learningRate ${rate}`,
      setting: condition.name,
      labels: { ...condition.labels, learningRate: rate },
      runs: condition.runs.map((run) => shifted(run, place * (gains[index] ?? 0))),
    })),
  );
  return {
    ...whole,
    factors: [...whole.factors, 'learningRate'],
    tune: ['learningRate'],
    conditions,
    reference: `${whole.reference}-0.1`,
  };
}

function shifted(run: Condition['runs'][number], gain: number): Condition['runs'][number] {
  const { summary } = run;
  return { ...run, summary: { ...summary, testAccuracy: (summary.testAccuracy ?? 0) + gain } };
}

describe('withChoices', () => {
  const study = tuned([0.02, -0.02, 0, -0.01, 0.01, -0.01]);
  const rates = ['0.03', '0.1', '0.1', '0.1', '0.03', '0.1'];

  it('keeps the value with the highest mean of each setting, the first of equal ones', () => {
    const { study: chosen, choices } = withChoices(study);
    expect(chosen.conditions.map(({ key, name }) => [key, name])).toEqual(
      whole.conditions.map(({ key, name }, index) => [`${key}-${rates[index]}`, name]),
    );
    expect(chosen.factors).toEqual(whole.factors);
    expect(choices.map(({ candidates }) => candidates.filter(({ isChosen }) => isChosen).length)).toEqual(
      rates.map(() => 1),
    );
  });

  it('moves the reference to the value that its setting chose, and compares across choices', () => {
    const view = viewOf(study);
    expect(view.reference?.condition.key).toBe(`${whole.reference}-0.03`);
    const mlm = view.rows.find(({ condition }) => condition.labels.add === 'MLM');
    expect(mlm?.toBaseline?.against).toBe('condition-0-0.03');
  });

  it('shows the chosen value in tables and data, and all values in a sentence', () => {
    const view = viewOf(study);
    const column = resultColumns(view).find(({ title }) => title === 'learningRate, chosen');
    expect(view.rows.map((row) => column?.text(row))).toEqual(rates);
    const [header, first] = resultsCsv(view).split('\n');
    expect(header?.split(',')).toContain('chosen_learningRate');
    expect(first).toContain(',0.03,');
    const sentence = findings(view).find(({ text }) => text.startsWith('Each condition may choose learningRate'));
    expect(sentence?.details).toHaveLength(whole.conditions.length);
    expect(sentence?.details[0]).toMatch(/^DGL, K = 4: 0\.1 [\d.]+\s%; 0\.03 [\d.]+\s% \(chosen\)$/);
    expect(studyResults(study).choices[0]?.candidates.map(({ values }) => values)).toEqual([
      { learningRate: '0.1' },
      { learningRate: '0.03' },
    ]);
  });

  it('chooses by validation images if every run holds some out, and says so', () => {
    // On validation images, the other value is better.
    const onValidation = (run: Condition['runs'][number], gain: number) => {
      const best = { epoch: 1, accuracy: 0.5 + gain, testAccuracy: 0.25 };
      return { ...run, summary: { ...run.summary, validation: { accuracy: 0.5 + gain, best } } };
    };
    const validated = {
      ...study,
      conditions: study.conditions.map((condition) => ({
        ...condition,
        config: { ...condition.config, validation: 0.1 },
        runs: condition.runs.map((run) => onValidation(run, condition.key.endsWith('-0.1') ? 0.1 : 0)),
      })),
    };
    const results = studyResults(validated);
    expect(results.selection).toBe('validation');
    expect(results.conditions.map(({ key }) => key)).toEqual(whole.conditions.map(({ key }) => `${key}-0.1`));
    expect(results.choices[0]?.candidates.map(({ validationAccuracy }) => validationAccuracy?.mean)).toEqual([
      0.6, 0.5,
    ]);
    expect(results.choices[0]?.candidates[0]?.testAccuracy?.mean).not.toBe(0.6);
    expect(results.conditions[0]?.bestTestAccuracy?.mean).toBe(0.25);
    expect(results.conditions[0]?.runs[0]?.validation?.best).toEqual({ epoch: 1, accuracy: 0.6, testAccuracy: 0.25 });
    const [sentence] = results.findings.filter(({ text }) => text.startsWith('Each condition may choose'));
    expect(sentence?.text).toContain(
      'highest mean validation accuracy after the last epoch. The choice is made on held-out',
    );
    expect(sentence?.details[0]).toMatch(/: 0\.1 60\.00\s% \(chosen\); 0\.03 50\.00\s%$/);
    const view = viewOf(validated);
    expect(latexOf(view)).toContain('selected on held-out training images, so that the test set chooses nothing');
    expect(runsCsv(view).split('\n')[0]).toContain(
      ',validation_accuracy,best_validation_accuracy,best_validation_epoch,best_validation_test_accuracy,',
    );
    // Accuracies on different images cannot be compared.
    const [firstCondition, ...others] = validated.conditions;
    const mixed = { ...validated, conditions: [study.conditions[0] ?? firstCondition, ...others] as Condition[] };
    expect(studyResults(mixed).selection).toBe('test');
    expect(withChoices(mixed).choices).toEqual(withChoices(study).choices);
  });

  it('chooses by the seeds that make choices, and misses no run of values that were not chosen', () => {
    const [judge = 0, ...others] = whole.conditions[0]?.seeds ?? [];
    // With seed 1 the second value is better everywhere; with the others, which only ran with it, it is worse than the first.
    const half = {
      ...study,
      conditions: tuned([0.02, 0.02, 0.02, 0.02, 0.02, 0.02]).conditions.map((condition) => ({
        ...condition,
        tuneSeeds: [judge],
        runs: condition.runs.flatMap((run) => {
          if (run.seed === judge) return [run];
          return condition.key.endsWith('-0.1') ? [] : [shifted(run, -0.3)];
        }),
      })),
    };
    const results = studyResults(half);
    expect(results.conditions.map(({ key }) => key)).toEqual(whole.conditions.map(({ key }) => `${key}-0.03`));
    expect(results.conditions.map(({ testAccuracy }) => testAccuracy?.n)).toEqual(whole.conditions.map(() => 4));
    expect(results.choices[0]?.candidates.map(({ testAccuracy }) => testAccuracy?.n)).toEqual([1, 1]);
    const view = viewOf(half);
    expect([view.finished, view.wanted]).toEqual([30, 30]);
    const [sentence] = results.findings.filter(({ text }) => text.startsWith('Each condition may choose'));
    expect(sentence?.text).toContain(
      `after the last epoch with seed ${judge}; other seeds have run with that value only.`,
    );
    // One of them is missing.
    const [first, ...rest] = half.conditions;
    const lost = { ...half, conditions: [first, ...rest.map((one) => ({ ...one, runs: one.runs.slice(0, 3) }))] };
    expect(viewOf(lost as Study).wanted).toBe(30);
    expect(viewOf(lost as Study).finished).toBeLessThan(30);
    expect(others).toHaveLength(3);
  });

  it('chooses nothing before there is a result', () => {
    const [first] = study.conditions;
    const unrun = study.conditions.map((one) => (one.setting === first?.setting ? { ...one, runs: [] } : one));
    const view = viewOf({ ...study, conditions: unrun });
    expect(view.choices[0]?.candidates.map(({ isChosen }) => isChosen)).toEqual([false, false]);
    const column = resultColumns(view).find(({ title }) => title === 'learningRate, chosen');
    expect(view.rows.map((row) => column?.text(row))).toEqual(['–', ...rates.slice(1)]);
    const sentence = findings(view).find(({ text }) => text.startsWith('Each condition may choose learningRate'));
    expect(sentence?.details[0]).toBe('DGL, K = 4: 0.1 –; 0.03 –');
    const reference = { ...study, reference: first?.key ?? null, conditions: unrun };
    expect(viewOf(reference).reference?.condition.key).toBe(first?.key);
  });

  it('marks means that omit diverged or stopped runs, and gives their numbers of runs', () => {
    const [first, ...others] = study.conditions as [Condition, ...Condition[]];
    const [diverged, stopped, ...rest] = first.runs as [FinishedRun, FinishedRun, ...FinishedRun[]];
    const fewer: Condition = {
      ...first,
      runs: [{ ...diverged, summary: { ...diverged.summary, status: 'diverged' } }, ...rest],
      stopped: [{ folder: '', seed: stopped.seed, epoch: 1, testAccuracy: 0.1, reason: 'worse' }],
    };
    const view = viewOf({ ...study, conditions: [fewer, ...others] });
    expect(view.choices[0]?.candidates.map(({ omitted }) => omitted)).toEqual([2, 0]);
    const sentence = findings(view).find(({ text }) => text.startsWith('Each condition may choose learningRate'));
    expect(sentence?.text).toMatch(/Means marked with † omit runs that diverged or were stopped early\.$/);
    expect(sentence?.details[0]).toMatch(/^DGL, K = 4: 0\.1 [\d.]+\s% † with 2 runs.*; 0\.03 [\d.]+\s% with 4 runs/);
  });

  it('says which conditions choose, and whether from the same values', () => {
    const other = study.conditions.filter(({ name }) => !name.endsWith('recomputed, learningRate 0.03'));
    const some = findings(viewOf({ ...study, conditions: other })).find(({ text }) => text.includes('may choose'));
    expect(some?.text).toMatch(
      /^Each of 5 conditions may choose learningRate: .*; all of them choose from the same values\.$/,
    );
    expect(some?.details).toHaveLength(5);
    const [first, ...rest] = study.conditions as [Condition, ...Condition[]];
    const faster = { ...first, labels: { ...first.labels, learningRate: '1' } };
    const mixed = findings(viewOf({ ...study, conditions: [faster, ...rest] })).find(({ text }) =>
      text.includes('may choose'),
    );
    expect(mixed?.text).toMatch(/^Each condition .*; conditions do not choose from the same values\.$/);
  });

  it('keeps a key as a factor of conditions that do not choose it', () => {
    // As of a second sweep, which lists the values under `grid`.
    const listed = study.conditions.slice(0, 4).map((one): Condition => {
      const { setting: _, ...condition } = one;
      return {
        ...condition,
        key: `listed-${one.key}`,
        name: `grid: ${one.name}`,
        labels: { ...one.labels, sweep: 'grid' },
      };
    });
    const both = { ...study, factors: [...study.factors, 'sweep'], conditions: [...study.conditions, ...listed] };
    const view = viewOf(both);
    const rows = view.rows.slice(-4);
    expect(rows.map(({ condition: { labels } }) => [labels.add, labels.learningRate])).toEqual([
      ...[
        ['none', '0.1'],
        ['none', '0.03'],
      ],
      ...[
        ['MLM', '0.1'],
        ['MLM', '0.03'],
      ],
    ]);
    expect(rows.map(({ toBaseline }) => toBaseline?.against)).toEqual([
      ...[undefined, undefined],
      ...listed.slice(0, 2).map(({ key }) => key),
    ]);
    const column = resultColumns(view).find(({ title }) => title === 'learningRate, chosen');
    expect(rows.map((row) => column?.text(row))).toEqual(['–', '–', '–', '–']);
    const sentence = findings(view).find(({ text }) => text.includes('may choose learningRate'));
    expect(sentence?.text).toMatch(/^Each of 6 conditions may choose learningRate: /);
  });

  it('leaves a study without choices as it is', () => {
    expect(withChoices(whole)).toEqual({ study: whole, choices: [] });
  });
});

describe('frontierOf', () => {
  /** Conditions with these costs and accuracies; runs differ by `spread`. */
  const rowsOf = (points: readonly (readonly [cost: number, accuracy: number])[], spread: number) => {
    const [pattern] = whole.conditions;
    const conditions = points.map(([cost, accuracy], index): Condition => {
      const runs = (pattern?.runs ?? []).map((run, seed) => {
        const testAccuracy = accuracy + (seed % 2 === 0 ? spread : -spread);
        return { ...run, summary: { ...run.summary, testAccuracy, peakBytes: cost } };
      });
      return { key: String(index), name: `p${index}`, labels: {}, config: {}, seeds: [1, 2, 3, 4], runs };
    });
    return viewOf({ ...whole, conditions, factors: [], compare: null, reference: null }).rows;
  };
  const points = [
    [1, 0.7],
    [2, 0.8],
    [3, 0.6],
    [4, 0.801],
  ] as const;
  const names = (rows: readonly { readonly condition: Condition }[]) => rows.map(({ condition }) => condition.name);

  it('is certain where every condition that costs no more is significantly less accurate', () => {
    const { front, certain, beaten, tests } = frontierOf(
      rowsOf(points, 0.001),
      ({ peakBytes }) => peakBytes,
      accuracyMetric,
    );
    expect(names(front)).toEqual(['p0', 'p1', 'p3']);
    expect(names(certain)).toEqual(['p0', 'p1']);
    expect(beaten.map(({ row, by }) => [row.condition.name, by.condition.name])).toEqual([['p2', 'p1']]);
    expect(tests).toBe(6);
  });

  it('leaves open what runs do not separate', () => {
    const { certain, beaten } = frontierOf(rowsOf(points, 0.3), ({ peakBytes }) => peakBytes, accuracyMetric);
    expect([names(certain), beaten]).toEqual([['p0'], []]);
  });
});
