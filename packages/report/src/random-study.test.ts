import type { Study } from '@localgrad/experiments';
import { splitCsvRecords } from '@localgrad/trackers';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { viewOf } from './condition-rows.js';
import { figuresOf } from './figures/drawn-figures.js';
import { randomStudies } from './random-study.fixture.js';
import { type ExpectedRow, expectedEstimate, expectedOf, type TestedPair } from './recomputed.fixture.js';
import { type ConditionResult, studyResults } from './study-results.js';
import { resultsCsv, runsCsv } from './text/csv.js';
import { latexOf } from './text/latex.js';
import { markdownOf } from './text/markdown.js';

const numRuns = Number(process.env.LOCALGRAD_FUZZ_INPUTS ?? 15);
const seed = Number(process.env.LOCALGRAD_FUZZ_SEED ?? 1);

type Cells = Readonly<Record<string, string>>;

/** One condition in every output. */
interface Outputs {
  readonly csv: Cells;
  readonly markdown: Cells;
  /** Without the texts at the start of the row. */
  readonly latex: readonly string[];
  readonly json: ConditionResult;
  readonly metric: string;
  readonly scale: number;
}

/** Rows by column; columns of equal titles are numbered. */
function named([header = [], ...rows]: readonly (readonly string[])[]): Cells[] {
  const numbers = header.map((name, index) => header.slice(0, index).filter((other) => other === name).length);
  return rows.map((cells) =>
    Object.fromEntries(
      header.map((name, at) => [`${name}${numbers[at] === 0 ? '' : ` ${numbers[at]}`}`, cells[at] ?? '']),
    ),
  );
}

const csvRows = (csv: string) =>
  named(
    splitCsvRecords(csv).map((line) =>
      [...line.trimEnd().matchAll(/(?:^|,)("[^"]*"|[^,]*)/g)].map(([, field = '']) => field.replaceAll('"', '')),
    ),
  );

const markdownRows = (markdown: string) =>
  named(
    markdown
      .split('\n')
      .filter((line) => /^\| [^:-]/.test(line))
      .map((line) => line.slice(2, -2).split(' | ')),
  );

function latexRows(study: Study, count: number): string[][] {
  const lines = latexOf(viewOf(study)).split('\n');
  const rows = lines.filter((line) => line.endsWith(' \\\\')).slice(-count);
  return rows.map((line) =>
    line
      .replaceAll('\\&', 'and')
      .split(' & ')
      .slice(1 + (study.tune?.length ?? 0)),
  );
}

/** @param tolerance relative to the size of the number, at least 1 */
function expectNumber(actual: string | undefined, expected: number | null, what: string, tolerance = 1e-9): void {
  if (expected === null) expect(actual, what).toBe('');
  else {
    expect(actual, what).not.toBe('');
    const most = tolerance * Math.max(1, Math.abs(expected));
    expect(Math.abs(Number(actual) - expected), `${what}: ${actual} for ${expected}`).toBeLessThanOrEqual(most);
  }
}

/** That a cell contains these numbers and no others, each up to half a unit of its last digit. */
function expectShown(cell: string | undefined, expected: readonly (number | null)[], what: string): void {
  const values = expected.filter((value) => value !== null);
  const texts = (cell ?? 'missing 0 0 0 0 0').replaceAll(/−|\$-\$/g, '-').match(/-?\d+(\.\d+)?(e[+-]\d+)?/g) ?? [];
  const message = `${what}: '${cell}' for ${values}`;
  expect(texts.length, message).toBe(values.length);
  for (const [index, text] of texts.entries()) {
    const [digits = '', exponent = '0'] = text.split('e');
    const unit = 10 ** (Number(exponent) - (digits.split('.')[1]?.length ?? 0));
    const value = values[index] ?? Number.NaN;
    expect(Math.abs(Number(text) - value), message).toBeLessThanOrEqual(0.5001 * unit + 1e-6 * Math.abs(value));
  }
}

function checkEstimates(row: ExpectedRow, { csv, markdown, latex, json, metric, scale }: Outputs): void {
  const estimates = metric === 'accuracy' ? { test: json.testAccuracy, bestTest: json.bestTestAccuracy } : json.metric;
  for (const [values, column, title, place, data] of [
    [[...row.last.values()], `test_${metric}`, `Test ${metric}, last epoch (95 % CI)`, 0, estimates?.test ?? null],
    [row.best, `best_test_${metric}`, 'Best epoch (95 % CI)', 1, estimates?.bestTest ?? null],
  ] as const) {
    const what = `${column} of ${row.name}`;
    const { mean = null, deviation = null, half = null } = expectedEstimate(values) ?? {};
    const bounds = half === null || mean === null ? [null, null] : [mean - half, mean + half];
    expectNumber(csv[`${column}_mean`], mean, what);
    expectNumber(csv[`${column}_deviation`], deviation, what);
    expectNumber(csv[`${column}_low`], bounds[0] ?? null, what, 1e-6);
    expectNumber(csv[`${column}_high`], bounds[1] ?? null, what, 1e-6);
    const shown = mean === null ? [] : [scale * mean, half === null ? null : scale * half];
    expectShown(markdown[title], shown, what);
    expectShown(latex[place], shown, `${what} in LaTeX`);
    const parts = ['mean', 'deviation', 'low', 'high', 'bca_low', 'bca_high'].map((part) => csv[`${column}_${part}`]);
    const [low, high] = data?.bootstrap ?? [];
    expect(
      [data?.mean, data?.standardDeviation, data?.low, data?.high, low, high].map((value) => String(value ?? '')),
    ).toEqual(parts);
    expect(data?.n ?? 0, what).toBe(values.length);
    expect(low === undefined, what).toBe(values.length < 3);
    expect(low ?? Infinity, what).toBeGreaterThanOrEqual(Math.min(...values) - 1e-12);
    expect(high ?? -Infinity, what).toBeLessThanOrEqual(Math.max(...values) + 1e-12);
  }
}

/** @param place of the columns among those of comparisons in LaTeX */
function checkDifference(
  kind: 'baseline' | 'reference',
  pair: TestedPair | undefined,
  outputs: Outputs,
  { title, number, place }: { readonly title: string; readonly number: number; readonly place: number },
): void {
  const { csv, markdown, latex, json, scale } = outputs;
  const { mean = null, half = null, adjusted = null, g = null } = pair ?? {};
  const [low, high] = half === null || mean === null ? [null, null] : [mean - half, mean + half];
  const what = `${json.name} to ${kind}`;
  expect(csv[kind], what).toBe(pair?.other.key ?? '');
  expectNumber(csv[`to_${kind}`], mean, what);
  expectNumber(csv[`to_${kind}_low`], low, what, 1e-5);
  expectNumber(csv[`to_${kind}_high`], high, what, 1e-5);
  expectNumber(csv[`to_${kind}_p_holm`], adjusted, what, 1e-5);
  expectNumber(csv[`to_${kind}_hedges_g`], g, what, 1e-8);
  const data = kind === 'baseline' ? json.toBaseline : json.toReference;
  const texts = [data?.against, data?.mean, data?.low, data?.high, data?.p, data?.hedgesG].map((value) =>
    String(value ?? ''),
  );
  const columns = ['', '_low', '_high', '_p_holm', '_hedges_g'].map((part) => csv[`to_${kind}${part}`]);
  expect(texts, what).toEqual([csv[kind], ...columns]);
  const suffix = number === 0 ? '' : ` ${number}`;
  // Equal means differ by rounding.
  const cells = [mean !== null && Math.abs(mean) < 1e-12 ? 0 : mean, low, high].map((value) =>
    value === null ? null : scale * value,
  );
  const p = adjusted !== null && adjusted < 0.001 ? 0.001 : adjusted;
  for (const cell of [markdown[`${title} (95 % CI)`], latex[2 + 2 * place]]) expectShown(cell, cells, what);
  for (const cell of [markdown[`p (Holm)${suffix}`], latex[3 + 2 * place]]) {
    if (adjusted !== null && adjusted < 0.001) expect(cell).toMatch(/<|textless/);
    else expectShown(cell, [p], what);
  }
  expectShown(markdown[`Hedges’ g${suffix}`], [g], what);
}

function checkCounts({ runs, condition }: ExpectedRow, { csv, markdown, json }: Outputs): void {
  const seedsOf = (list: readonly { readonly seed: number }[]) => list.map((one) => one.seed).join(' ');
  const { stopped = [], seeds } = condition;
  const diverged = condition.runs.filter(({ summary }) => summary.status === 'diverged');
  const missing = seeds.filter((one) => ![...condition.runs, ...stopped].some((run) => run.seed === one));
  expect([csv.runs, csv.missing_seeds, csv.stopped_seeds, csv.diverged_seeds]).toEqual([
    String(runs.length),
    missing.join(' '),
    seedsOf(stopped),
    seedsOf(diverged),
  ]);
  expect([json.missingSeeds, json.stopped.length, json.runs.length]).toEqual([
    missing,
    stopped.length,
    condition.runs.length,
  ]);
  const all = missing.length === 0 ? null : condition.runs.length + missing.length;
  expectShown(markdown.Runs, [condition.runs.length, all, diverged.length || null, stopped.length || null], json.name);
}

function checkCosts(row: ExpectedRow, { csv, markdown, json }: Outputs): void {
  expectNumber(csv.peak_bytes, row.peakBytes, row.name);
  expectNumber(csv.seconds, row.seconds, row.name);
  expectNumber(csv.multiply_accumulates, row.work, row.name);
  expectShown(markdown['Peak memory'], [row.peakBytes === null ? null : row.peakBytes / 2 ** 20], row.name);
  const { mean = null, half = null } = expectedEstimate(row.runs.map(({ summary }) => summary.seconds)) ?? {};
  expectShown(
    markdown['Training time (95 % CI)'],
    [mean, half === null || mean === null ? null : (100 * half) / mean],
    row.name,
  );
  expect([json.peakBytes, json.multiplyAccumulates]).toEqual([
    row.peakBytes,
    csv.multiply_accumulates === '' ? null : Number(csv.multiply_accumulates),
  ]);
}

/** Tables and text alternatives of figures, against the mean of the last epoch. */
function checkFigures(study: Study, rows: readonly ExpectedRow[], scale: number): void {
  for (const { id, table, panels } of figuresOf(viewOf(study))) {
    if (id === 'module-losses') continue;
    for (const row of rows) {
      const values = [...row.last.values()];
      const mean = expectedEstimate(values)?.mean;
      if (mean === undefined) continue;
      const own = table.rows.filter(([name = '']) => name === row.name || name.endsWith(`. ${row.name}`));
      const isCurve = table.columns.includes('Runs');
      // Runs of one condition may have been evaluated after different epochs, but all after the last one.
      expectShown(isCurve ? own.at(-1)?.[2] : own[0]?.[1], [scale * mean], `${id} of ${row.name}`);
      if (isCurve) expect(own.at(-1)?.[4], `${id} of ${row.name}`).toBe(String(values.length));
    }
    for (const { description } of panels) expect(description).not.toMatch(/NaN|undefined|Infinity/);
  }
}

function checkStudy(study: Study): void {
  const { metric, rows, selection, toBaseline, toReference, reference } = expectedOf(study);
  const results = studyResults(study);
  const scale = metric === 'accuracy' || metric === 'meanIoU' ? 100 : 1;
  const [csv, markdown] = [csvRows(resultsCsv(viewOf(study))), markdownRows(markdownOf(viewOf(study), []))];
  const latex = latexRows(study, rows.length);
  expect([results.selection, results.metric?.name ?? 'accuracy']).toEqual([selection, metric]);
  expect(results.conditions.map(({ key, name }) => [key, name])).toEqual(rows.map(({ key, name }) => [key, name]));
  const unit = scale === 100 ? ', points' : '';
  const compared = study.compare === null ? 0 : 1;
  for (const [index, row] of rows.entries()) {
    const json = results.conditions[index] ?? expect.fail('a condition is missing');
    const outputs = {
      csv: csv[index] ?? {},
      markdown: markdown[index] ?? {},
      latex: latex[index] ?? [],
      json,
      metric,
      scale,
    };
    checkEstimates(row, outputs);
    checkCounts(row, outputs);
    checkCosts(row, outputs);
    if (study.compare !== null)
      checkDifference('baseline', toBaseline.get(row.key), outputs, { title: `To none${unit}`, number: 0, place: 0 });
    if (reference !== undefined)
      checkDifference('reference', toReference.get(row.key), outputs, {
        ...{ title: `To end to end${unit}`, number: compared, place: compared },
      });
  }
  const runs = csvRows(runsCsv(viewOf(study)));
  expect(runs.length).toBe(
    rows.reduce((sum, { condition: { runs, stopped = [] } }) => sum + runs.length + stopped.length, 0),
  );
  const finished = study.conditions.reduce((sum, { runs }) => sum + runs.length, 0);
  expect(results.finished).toBe(finished);
  checkFigures(study, rows, scale);
}

it(`reports the numbers of ${numRuns} random studies as another program computes them`, () => {
  fc.assert(fc.property(randomStudies, checkStudy), { numRuns, seed });
}, 0);
