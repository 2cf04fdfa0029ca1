import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Condition, Study } from '@localgrad/experiments';
import { splitCsvRecords } from '@localgrad/trackers';
import { describe, expect, it } from 'vitest';
import { viewOf } from '../condition-rows.js';
import { renderPage } from '../page/page.js';
import { syntheticStudy } from '../study.fixture.js';
import { studyResults } from '../study-results.js';
import { resultsCsv, runsCsv } from './csv.js';
import { latexOf } from './latex.js';

const docs = join(import.meta.dirname, '../../../../docs');
const page = readFileSync(join(docs, 'results-as-data.md'), 'utf8');
const program = readFileSync(join(docs, 'programs/results.py'), 'utf8');

/** One diverged run, and one that was stopped early. */
function flawedStudy(): Study {
  const study = syntheticStudy({ hosts: ['DGL'], modules: [4] });
  const conditions = study.conditions.map((condition, index) => {
    if (index !== 0) return condition;
    const [first, second, third] = condition.runs;
    if (first === undefined || second === undefined || third === undefined) throw new Error('three runs expected');
    const diverged = { ...second, summary: { ...second.summary, status: 'diverged' as const, divergence: 'NaN' } };
    const stop = { folder: third.folder, seed: third.seed, epoch: 2, testAccuracy: 0.25, reason: 'hopeless' };
    return { ...condition, runs: [first, diverged], stopped: [stop] };
  });
  return { ...study, conditions };
}

const rowsOf = (csv: string) =>
  splitCsvRecords(csv).map((line) =>
    // Fields, of which those with commas are in quotes.
    [...line.trimEnd().matchAll(/(?:^|,)("[^"]*"|[^,]*)/g)].map(([, field = '']) => field),
  );

describe('CSV files', () => {
  const study = flawedStudy();
  const conditions = study.conditions.map((condition) => ({
    ...condition,
    labels: { ...condition.labels, learningRate: '0.1' },
  }));
  const view = viewOf({ ...study, conditions, tune: ['learningRate'] });
  const runs = runsCsv(view);

  it.each([
    ['runs.csv', runs],
    ['results.csv', resultsCsv(view)],
  ])('%s has only documented columns, and all of them', (name, csv) => {
    const [start = '', own = ''] = page.split(`Further columns of \`${name}\``);
    const tables = [start.slice(start.indexOf('Both start with')).split('Further columns')[0], own.split('\n\n')[1]];
    const cells = tables.flatMap((table = '') => [...table.matchAll(/^\| (`.*?) \|/gm)].map(([, cell = '']) => cell));
    const documented = cells.flatMap((cell) => [...cell.matchAll(/`([^`]+)`/g)].map(([, column = '']) => column));
    const columns = (rowsOf(csv)[0] ?? []).map((column) => column.replace(/^(factor|chosen)_.*/, '$1_…'));
    expect([...new Set(columns)].sort()).toEqual(documented.sort());
  });

  it('list diverged and stopped runs with their status, and omit them from means', () => {
    const [header = [], ...rows] = rowsOf(runs);
    const column = (name: string) => rows.slice(0, 3).map((row) => row[header.indexOf(name)]);
    expect(column('status')).toEqual(['finished', 'diverged', 'stopped']);
    expect(column('seed')).toEqual(['1', '2', '3']);
    expect(column('note')).toEqual(['', 'NaN', 'hopeless']);
    expect(column('test_accuracy')[2]).toBe('');
    const [titles = [], first = []] = rowsOf(resultsCsv(view));
    const cell = (name: string) => first[titles.indexOf(name)];
    expect([cell('runs'), cell('diverged_seeds'), cell('stopped_seeds'), cell('missing_seeds')]).toEqual([
      ...['1', '2', '3', ''],
    ]);
    expect(cell('test_accuracy_mean')).toBe(column('test_accuracy')[0]);
  });
});

describe('studyResults', () => {
  it('contains the numbers of the report, and says loudly what they omit', () => {
    const { conditions, findings, reference } = JSON.parse(JSON.stringify(studyResults(flawedStudy())));
    const [first, second] = conditions;
    expect(first.runs.map(({ status }: { status: string }) => status)).toEqual(['finished', 'diverged']);
    expect(first.stopped).toEqual([{ seed: 3, epoch: 2, testAccuracy: 0.25, reason: 'hopeless' }]);
    expect(first).toMatchObject({ missingSeeds: [], testAccuracy: { n: 1, mean: first.runs[0].testAccuracy } });
    expect(second.testAccuracy.n).toBe(3);
    expect(second.toBaseline).toMatchObject({ against: first.key, mean: expect.any(Number) });
    expect(conditions.find(({ key }: { key: string }) => key === reference).isReference).toBe(true);
    expect(first.runs[0].epochs.at(-1).testAccuracy).toBe(first.runs[0].testAccuracy);
    const texts = findings.map(({ text }: { text: string }) => text);
    expect(texts).toContainEqual(
      expect.stringMatching(/^1 run was stopped early by the rule of the sweep\. Every mean/),
    );
  });

  it('counts planned runs as the sentences and the table for LaTeX do, stopped ones included', () => {
    const study = flawedStudy();
    const [first, second, ...rest] = study.conditions as [Condition, Condition, ...Condition[]];
    const lost = { ...study, conditions: [first, { ...second, runs: second.runs.slice(1) }, ...rest] };
    const planned = 3 * study.conditions.length;
    expect([studyResults(lost).finished, studyResults(lost).runs]).toEqual([planned - 2, planned]);
    const state = `${planned - 2} of ${planned} runs have finished`;
    expect(studyResults(lost).findings[0]?.text).toContain(state);
    expect(latexOf(viewOf(lost))).toContain(state);
    const page = renderPage({ view: viewOf(lost), figures: [], plans: [], linkTo: () => null });
    expect(page).toContain(`${planned - 2} of ${planned} runs finished, 1 stopped early.`);
  });
});

/** A Python with pandas: of the variable `PYTHON`, or `python3`. */
function pythonWithPandas(): string | undefined {
  const python = process.env.PYTHON ?? 'python3';
  try {
    execFileSync(python, ['-c', 'import pandas'], { stdio: 'ignore' });
    return python;
  } catch {
    return undefined;
  }
}

describe('docs/programs/results.py', () => {
  const python = pythonWithPandas();
  if (python === undefined) {
    console.warn('SKIPPED: docs/programs/results.py was not run, since python3 has no pandas (pip install pandas).');
  }

  it('is what the page shows, in about fifteen lines', () => {
    expect(page).toContain(`\`\`\`python\n${program}\`\`\``);
    expect(program.split('\n').filter((line) => line !== '').length).toBeLessThanOrEqual(16);
  });

  it.skipIf(python === undefined)('prints the means of the report', { timeout: 60_000 }, () => {
    const folder = mkdtempSync(join(tmpdir(), 'localgrad-pandas-'));
    try {
      const study = flawedStudy();
      writeFileSync(join(folder, 'runs.csv'), runsCsv(viewOf(study)));
      const text = execFileSync(python ?? '', [join(docs, 'programs/results.py'), join(folder, 'runs.csv')], {
        encoding: 'utf8',
      });
      for (const { name, testAccuracy, peakBytes } of studyResults(study).conditions) {
        const line = text.split('\n').find((candidate) => candidate.trim().startsWith(`${name} `)) ?? '';
        const [runs, accuracy, , mebibytes] = line.trim().slice(name.length).trim().split(/\s+/).map(Number);
        expect(runs).toBe(testAccuracy?.n);
        expect(accuracy).toBeCloseTo(testAccuracy?.mean ?? Number.NaN, 4);
        expect(mebibytes).toBeCloseTo((peakBytes ?? Number.NaN) / 2 ** 20, 4);
      }
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
