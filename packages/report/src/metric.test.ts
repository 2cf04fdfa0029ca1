import { mkdtemp, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Condition, FinishedRun, Study } from '@localgrad/experiments';
import type { Metric } from '@localgrad/train';
import { beforeAll, describe, expect, it } from 'vitest';
import { withChoices } from './choices.js';
import { viewOf } from './condition-rows.js';
import { figuresOf } from './figures/drawn-figures.js';
import { findings } from './findings.js';
import { frontierOf } from './frontier.js';
import { syntheticStudy } from './study.fixture.js';
import { studyResults } from './study-results.js';
import { runsCsv } from './text/csv.js';
import { writeReport } from './write-report.js';

const loss: Metric = { name: 'loss', lowerIsBetter: true };
const iou: Metric = { name: 'meanIoU', lowerIsBetter: false };

/** The same runs, which choose epochs by a metric; `of` is its value by accuracy. */
function measured(study: Study, metric: Metric, of: (accuracy: number) => number): Study {
  const changed = (run: FinishedRun): FinishedRun => {
    const epochs = run.summary.epochs.map((record) => {
      const testMetrics = { accuracy: record.testAccuracy ?? 0, [metric.name]: of(record.testAccuracy ?? 0) };
      return { ...record, metric, testMetrics };
    });
    return { ...run, summary: { ...run.summary, metric, epochs } };
  };
  const conditions = study.conditions.map(
    (condition): Condition => ({
      ...condition,
      runs: condition.runs.map(changed),
    }),
  );
  return { ...study, conditions };
}

const study = syntheticStudy({ hosts: ['DGL'], modules: [4], epochs: 3 });
/** Half the accuracy: all comparisons have the same answers. */
const overlaps = measured(study, iou, (accuracy) => accuracy / 2);
/** Falls as accuracy rises: the same again. */
const losses = measured(study, loss, (accuracy) => 2 - accuracy);

describe('a report of runs with another metric', () => {
  const texts: Record<string, string> = {};
  beforeAll(async () => {
    for (const [name, of] of Object.entries({ iou: overlaps, loss: losses })) {
      const files = await writeReport(of, await mkdtemp(join(tmpdir(), 'localgrad-metric-')));
      for (const kind of ['html', 'markdown', 'latex', 'results', 'runs'] as const) {
        texts[`${name} ${kind}`] = await readFile(files[kind], 'utf8');
      }
    }
  });

  it.each([
    ['iou', 'meanIoU'],
    ['loss', 'loss'],
  ])('names it in tables, figures and sentences: %s', (study, name) => {
    const text = (kind: string) => texts[`${study} ${kind}`] ?? '';
    expect(text('markdown')).toContain(`| Test ${name}, last epoch (95 % CI) |`);
    expect(text('latex')).toContain(study === 'iou' ? 'test meanIoU, \\%' : '{test loss}');
    expect(text('latex')).toContain(`Mean test ${name} with 95`);
    expect(text('results').split('\n')[0]).toContain(`test_${name}_mean`);
    expect(text('runs').split('\n')[0]).toContain(`test_${name},best_test_${name},validation_${name}`);
    // The file of a figure keeps its name; linear probes measure accuracy.
    const rest = text('markdown').replaceAll('accuracy-against-cost', '').split('## Linear separability')[0];
    expect(rest).not.toMatch(/test accuracy|more accurate/i);
    expect(rest).toContain(`Mean test ${name} after the last epoch`);
    expect(text('html')).toContain(`<dt>Test ${name}</dt>`);
  });

  it('shows fractions in per cent and other values as numbers', () => {
    const rows = (name: string) =>
      (texts[`${name} markdown`] ?? '').split('\n').filter((line) => /^\| 1 \|/.test(line));
    expect(rows('iou')[0]).toMatch(/\| 4\d\.\d\d ± \d\.\d\d\s% \|/);
    expect(rows('loss')[0]).toMatch(/\| 1\.\d\d\d ± 0\.\d+ \|/);
    expect(texts['loss markdown']).not.toMatch(/\d\s?points|, points/);
  });

  it('draws it, with axes of its kind', () => {
    const axis = (of: Study) =>
      JSON.stringify(figuresOf(viewOf(of)).map(({ panels }) => panels.map(({ spec }) => spec)));
    expect(axis(overlaps)).toContain('"title":"test meanIoU"');
    expect(axis(losses)).toContain('"title":"test loss"');
    const [overview, costs] = figuresOf(viewOf(losses));
    expect(overview?.heading).toBe('Loss and cost');
    expect(overview?.panels[0]?.spec).toMatchObject({ title: { subtitle: 'after each epoch; lower is better' } });
    expect(costs?.title).toBe('Loss against cost');
  });
});

describe('comparisons by another metric', () => {
  const verdicts = (of: Study) =>
    findings(viewOf(of)).map(({ text }) =>
      text
        .replace(/ reaches .*\)\./, '')
        .replaceAll(/more accurate|better/g, '+')
        .replaceAll(/less accurate|worse/g, '-')
        .replaceAll(/most accurate|best/g, '*')
        .replaceAll(/higher|lower mean/g, '…')
        .replaceAll(/above|below/g, '…'),
    );

  it('have the same answers where the metric has the same order, whatever its direction', () => {
    expect(verdicts(overlaps)).toEqual(verdicts(study));
    expect(verdicts(losses).map((text) => text.replaceAll('… mean', '…'))).toEqual(
      verdicts(study).map((text) => text.replaceAll('… mean', '…')),
    );
    const front = (of: Study) => {
      const { rows, metric } = viewOf(of);
      const { front, certain } = frontierOf(rows, ({ peakBytes }) => peakBytes, metric.metric);
      return [front, certain].map((own) => own.map(({ condition }) => condition.key));
    };
    expect(front(losses)).toEqual(front(study));
    const onFront = (of: Study) => figuresOf(viewOf(of))[1]?.panels.map(({ description }) => description);
    expect(onFront(losses)).toEqual(onFront(study));
  });

  it('have no value of it for stopped runs that another metric judged', () => {
    const [first, ...rest] = losses.conditions as [Condition, ...Condition[]];
    const stop = { folder: '', seed: 3, epoch: 1, testAccuracy: 0.25, reason: 'worse' };
    const judged = { ...stop, seed: 2, testAccuracy: null, metric: { name: 'loss', test: 1.75 } };
    const stopped = { ...first, runs: first.runs.slice(0, 1), stopped: [judged, stop] };
    const [header = '', , ...lines] = runsCsv(viewOf({ ...losses, conditions: [stopped, ...rest] })).split('\n');
    const place = header.split(',').indexOf('best_test_loss');
    // The name contains a comma.
    expect(lines.slice(0, 2).map((line) => line.split(',')[place + 1])).toEqual(['1.75', '']);
  });

  it('have differences of its values', () => {
    const [ours, theirs] = [studyResults(losses), studyResults(study)];
    expect(ours.metric).toEqual(loss);
    expect(theirs).not.toHaveProperty('metric');
    for (const [index, condition] of ours.conditions.entries()) {
      const other = theirs.conditions[index];
      expect(condition.toReference?.mean ?? 0).toBeCloseTo(-(other?.toReference?.mean ?? 0), 12);
      expect(condition.metric?.test?.mean).toBeCloseTo(2 - (other?.testAccuracy?.mean ?? 0), 12);
      expect(condition.metric?.bestTest?.mean).toBeCloseTo(2 - (other?.bestTestAccuracy?.mean ?? 0), 12);
      // Accuracies stay accuracies.
      expect(condition.testAccuracy).toEqual(other?.testAccuracy);
      expect(condition.runs[0]?.metric?.test).toBeCloseTo(2 - (other?.runs[0]?.testAccuracy ?? 0), 12);
      expect(other).not.toHaveProperty('metric');
    }
  });

  it('choose values of tune by it', () => {
    const tuned = (of: Study): Study => ({
      ...of,
      tune: ['rate'],
      conditions: of.conditions.slice(0, 4).map((condition, index) => ({
        ...condition,
        setting: 'one',
        labels: { rate: String(index) },
      })),
      ...{ compare: null, reference: null, factors: ['rate'] },
    });
    const chosen = (of: Study) => withChoices(tuned(of)).choices[0]?.candidates.findIndex(({ isChosen }) => isChosen);
    expect([chosen(losses), chosen(overlaps)]).toEqual([chosen(study), chosen(study)]);
    const [candidate] = studyResults(tuned(losses)).choices[0]?.candidates ?? [];
    expect(candidate?.metric?.name).toBe('loss');
    const sentence = findings(viewOf(tuned(losses))).find(({ text }) => text.startsWith('Each condition may choose'));
    expect(sentence?.text).toContain('the lowest mean test loss after the last epoch');
    expect(sentence?.details[0]).toMatch(/^one: 0 1\.\d+; 1 1\.\d+/);
  });

  it('say by what values are chosen where settings name different metrics', () => {
    const both = [...losses.conditions.slice(0, 2), ...study.conditions.slice(2, 4)];
    const conditions = both.map((condition, index): Condition => {
      return { ...condition, setting: index < 2 ? 'one' : 'two', labels: { rate: String(index % 2) } };
    });
    const view = viewOf({ ...study, tune: ['rate'], factors: ['rate'], conditions, compare: null, reference: null });
    const sentence = findings(view).find(({ text }) => text.startsWith('Each condition may choose'));
    expect(sentence?.text).toContain(
      'the value with the best mean on test images, by the metric that its runs name, after',
    );
    expect(sentence?.details).toEqual([
      expect.stringMatching(/: 0 1\.\d{3}.*; 1 1\.\d{3}/),
      expect.stringMatching(/: 0 \d\d\.\d\d\s%.*; 1 \d\d\.\d\d\s%/),
    ]);
  });

  it('fall back on accuracy for runs of different metrics, and say so', () => {
    const [first, ...rest] = study.conditions;
    const [other] = losses.conditions;
    if (first === undefined || other === undefined) throw new Error('no conditions');
    const mixed = { ...study, conditions: [other, ...rest] };
    const view = viewOf(mixed);
    expect(view.metric.name).toBe('accuracy');
    expect(view.rows.map(({ last }) => last)).toEqual(viewOf(study).rows.map(({ last }) => last));
    expect(findings(view)[0]?.text).toBe(
      "The runs choose their epochs by different metrics (accuracy and loss), so this report compares their accuracy. Set 'metric' in 'base' to one that all of them measure.",
    );
    expect(findings(viewOf(study))[0]?.text).not.toContain('different metrics');
  });
});
