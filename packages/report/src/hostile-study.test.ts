import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Condition, FinishedRun, Study } from '@localgrad/experiments';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { syntheticStudy } from './study.fixture.js';
import { writeReport } from './write-report.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'localgrad-hostile-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const small = () => syntheticStudy({ hosts: ['DGL'], modules: [4], additions: 2, epochs: 2, seeds: 3 });

function withCondition(study: Study, at: number, change: (condition: Condition) => Partial<Condition>): Study {
  const conditions = study.conditions.map((condition, index) =>
    index === at ? { ...condition, ...change(condition) } : condition,
  );
  return { ...study, conditions };
}

/** All texts of a report, by name. */
async function texts(study: Study): Promise<Record<string, string>> {
  await writeReport(study, folder);
  const names = (await readdir(folder, { recursive: true })).filter((name) => /\.(html|md|tex|csv|svg)$/.test(name));
  return Object.fromEntries(
    await Promise.all(names.map(async (name) => [name, await readFile(join(folder, name), 'utf8')] as const)),
  );
}

describe('credentials', () => {
  it('are masked in every file of the report', async () => {
    const url = 'http://joe:s3cret@127.0.0.1:9';
    const study = small();
    const [condition] = study.conditions;
    const written = await texts({
      ...study,
      title: `Tracked at ${url}`,
      description: `See ${url}/x?token=s3cret`,
      source: `name: secret\ntrackers: {mlflow: "${url}"}\n`,
      commands: [`localgrad train --mlflow ${url}`],
      conditions: [{ ...(condition as Condition), name: `at ${url}` }, ...study.conditions.slice(1)],
    });
    for (const [name, text] of Object.entries(written)) expect(text, name).not.toMatch(/s3cret|joe/);
    expect(written['report.html']).toContain('{mlflow: &quot;http://***@127.0.0.1:9&quot;}');
    expect(written['report.md']).toContain('{mlflow: "http://***@127.0.0.1:9"}');
  });
});

describe('control characters', () => {
  it('are replaced in names, labels and texts of every file', async () => {
    const evil = 'a\u0000b\u001b[31m\u0007\u009b\ud800\uffff';
    const study = withCondition(small(), 1, ({ labels }) => ({
      name: `x${evil}\ny`,
      labels: { ...labels, host: evil },
    }));
    const written = await texts({ ...study, title: evil, description: evil, source: evil, commands: [evil] });
    for (const [name, text] of Object.entries(written)) {
      // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must be missing
      expect(text, name).not.toMatch(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\uffff]/);
    }
    expect(written['report.html']).toContain('a\ufffdb\ufffd[31m');
  });
});

describe('CSV cells', () => {
  it('get an apostrophe if they begin like a formula, and numbers stay numbers', async () => {
    const names = ['=cmd()', '+1', '-x', '@sum'];
    const study = small();
    const written = await texts({
      ...study,
      conditions: study.conditions.map((condition, index) => ({ ...condition, name: names[index] ?? condition.name })),
    });
    for (const name of names) expect(written['results.csv']).toContain(`,'${name},`);
    expect(written['results.csv']).toMatch(/,-0\.\d+,/);
  });
});

/** The same run after its network diverged. JSON stores NaN as null. */
function asDiverged(run: FinishedRun): FinishedRun {
  const epochs = run.summary.epochs.map((epoch) => JSON.parse(JSON.stringify({ ...epoch, testLoss: Number.NaN })));
  return { ...run, summary: { ...run.summary, status: 'diverged', testAccuracy: 0.1, bestTestAccuracy: 0.1, epochs } };
}

describe('diverged runs', () => {
  it('are marked, named, and omitted from means and tests', async () => {
    const study = withCondition(small(), 1, ({ runs }) => ({
      runs: runs.map((run) => (run.seed === 2 ? asDiverged(run) : run)),
    }));
    const [, whole] = small().conditions;
    const rest = (whole?.runs ?? []).filter(({ seed }) => seed !== 2).map(({ summary }) => summary.testAccuracy ?? 0);
    const mean = rest.reduce((sum, value) => sum + value, 0) / rest.length;
    const written = await texts(study);
    const html = written['report.html'];
    expect(html).toContain('1 run diverged: its weights or losses are not finite numbers.');
    expect(html).toContain('1 of 3 finished runs (seed 2)');
    expect(html).toContain('<td>3, 1 diverged</td>');
    expect(html).toMatch(new RegExp(`${(100 * mean).toFixed(2)} ± [\\d.]+\u00a0% †`));
    expect(html).toContain('12 of 12 runs finished');
    expect(written['report.md']).toContain('3, 1 diverged');
    expect(written['report.tex']).toMatch(/\\textdagger\{\} omits runs that diverged or were stopped early/);
    const header = written['results.csv']?.split('\n')[0]?.split(',') ?? [];
    expect(header).toContain('diverged_seeds');
    expect(written['runs.csv']?.match(/,diverged,/g)).toHaveLength(1);
    expect(html).not.toMatch(/NaN|undefined/);
  });

  it('leave no number if all seeds diverged, even if only the status of the summary reports it', async () => {
    const study = withCondition(small(), 1, ({ runs }) => ({
      runs: runs.map((run) => ({ ...run, summary: { ...run.summary, status: 'diverged' } })),
    }));
    const written = await texts(study);
    expect(written['report.html']).toContain('<td>diverged</td>');
    expect(written['report.html']).toContain('3 of 3 finished runs (seeds 1, 2 and 3)');
    expect(written['report.html']).not.toMatch(/NaN|undefined/);
  });
});

describe('damaged files of runs', () => {
  it('are listed, and the other runs are reported', async () => {
    const problem = "Run 'DGL, seed 1' is missing: 'runs/x/summary.json' is not JSON";
    const study = withCondition(small(), 1, ({ runs }) => ({ runs: runs.slice(1) }));
    const written = await texts({ ...study, problems: [problem] });
    expect(written['report.html']).toContain('1 file of runs cannot be read.');
    expect(written['report.html']).toContain(problem);
    expect(written['report.md']).toContain('11 of 12 runs have finished');
  });
});
