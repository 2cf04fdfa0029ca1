import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type FinishedRun, openSweep, type Study } from '@localgrad/experiments';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runCommandLine } from '../command-line.js';
import { renderQuickstart } from '../commands/quickstart.js';
import { quickstartExperiment } from './experiment.js';
import { type QuickstartReport, quickstart } from './quickstart.js';
import { type MethodResult, quickstartResults } from './results.js';

/** Of one epoch on 200 images with seed 1, without relaxed SIMD; the bits changed last with decision 14. */
const golden = [
  { label: 'End to end', testAccuracy: 0.14, testLoss: 2.2633712768554686, final: 2.3321451544761658, peak: 2788040 },
  { label: 'Greedy', testAccuracy: 0.22, testLoss: 2.2822325134277346, final: 2.345962703227997, peak: 972096 },
  { label: 'DGL', testAccuracy: 0.13, testLoss: 2.312198486328125, final: 2.3437702655792236, peak: 1211664 },
  { label: 'MLAAN', testAccuracy: 0.09, testLoss: 2.2919796752929686, final: 2.3601078391075134, peak: 3263856 },
];

const tiny = {
  seeds: 1,
  epochs: 1,
  backend: 'wasm',
  threads: 1,
  trainImages: 200,
  testImages: 100,
  relaxedSimd: false,
} as const;

describe('quickstart', () => {
  let folder: string;
  let result: QuickstartReport;
  const lines: string[] = [];
  const terminal = { stdout: { write: () => {} }, stderr: { write: (text: string) => lines.push(text) } };
  const run = () => quickstart({ ...tiny, output: join(folder, 'sweep') }, terminal);
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'localgrad-quickstart-'));
    result = await run();
  }, 180_000);
  afterAll(() => rm(folder, { recursive: true, force: true }));

  it('trains every method to the same bits as before', () => {
    expect(
      result.runs.map(({ label, testAccuracy, seeds, peakBytes }) => {
        const [epoch] = seeds[0]?.epochs ?? [];
        return { label, testAccuracy, testLoss: epoch?.testLoss, final: epoch?.losses.final, peak: peakBytes };
      }),
    ).toEqual(golden);
    expect(result.runs.map(({ modules, isReference }) => [modules, isReference])).toEqual([
      [1, true],
      [7, false],
      [7, false],
      [7, false],
    ]);
  });

  it('uses less memory with local learning, as predicted', () => {
    for (const { peakBytes, predictedPeakBytes } of result.runs) {
      expect(Math.abs(peakBytes / predictedPeakBytes - 1)).toBeLessThan(0.1);
    }
    expect(result.runs[2]?.relativeToBackprop?.memory).toBeLessThan(0.6);
  });

  it('shows overall progress and writes the report of the sweep', async () => {
    expect(lines.filter((line) => /^\[\d\/4\] /.test(line))).toHaveLength(4);
    expect(result.report).toBe(join(folder, 'sweep', 'report', 'report.html'));
    const page = await readFile(result.report, 'utf8');
    expect(page).toContain('One network, trained four ways');
    expect(page).toContain('localgrad quickstart --seeds 1 --epochs 1');
    expect(page).toContain('whose gradients cross the border inside the window');
    const source = await readFile(join(folder, 'sweep', 'experiment.yaml'), 'utf8');
    expect(source).toContain('  epochs: 1\n');
  });

  it('trains nothing again when all runs are finished', { timeout: 60_000 }, async () => {
    const runs = (report: QuickstartReport) => report.runs.map(({ seconds, seeds }) => [seconds, seeds]);
    lines.length = 0;
    expect(runs(await run())).toEqual(runs(result));
    expect(lines).toEqual([]);
  });

  it('stops with exit code 130 when interrupted, and keeps the sweep for the next call', async () => {
    const controller = new AbortController();
    controller.abort(new Error('interrupted'));
    const output = join(folder, 'interrupted sweep');
    const exitCode = await runCommandLine(['quickstart', '--seeds', '1', '--json', '--output', output], {
      ...terminal,
      signal: controller.signal,
    });
    expect(exitCode).toBe(130);
    const sweep = await openSweep(output);
    expect(sweep.tasks).toHaveLength(4);
    expect(sweep.commands).toEqual([
      `localgrad quickstart --seeds 1 --epochs 4 --backend wasm --threads 1 --output '${output}'`,
    ]);
  });

  it.each([
    [['--backend', 'foo'], /^localgrad: --backend: Unknown backend 'foo'\. Allowed: .*cpu\.\n$/],
    [['--threads', '999'], /^localgrad: --threads: 999; allowed with backend 'wasm': 1 to \d+, or auto\.\n$/],
  ])('names the wrong flag in %j, and writes no folder', async (flags, message) => {
    lines.length = 0;
    const output = join(folder, 'wrong');
    expect(await runCommandLine(['quickstart', ...flags, '--output', output], terminal)).toBe(2);
    expect(lines.join('')).toMatch(message);
    expect(existsSync(output)).toBe(false);
  });

  it('writes its report only into a folder of its own, and does not touch other files', async () => {
    const sweep = join(folder, 'sweep');
    const own = join(folder, 'own');
    await mkdir(own);
    await writeFile(join(own, 'results.csv'), 'mine');
    const reportInto = (output: string) => runCommandLine(['report', sweep, '--output', output], terminal);
    lines.length = 0;
    expect(await reportInto(own)).toBe(2);
    expect(lines.join('')).toMatch(/^localgrad: Folder '.*own' contains 'results\.csv' and is not marked[^\n]*\n$/);
    expect(await readFile(join(own, 'results.csv'), 'utf8')).toBe('mine');
    for (const output of ['', join(own, 'results.csv'), join(own, 'a'.repeat(300))]) {
      lines.length = 0;
      expect(await reportInto(output)).toBe(2);
      expect(lines.join('')).toMatch(/^localgrad: --output[^\n]*\n$/);
    }
  });

  it('prints the comparison as a table, end-to-end training first', () => {
    const text = renderQuickstart(result);
    expect(text).toMatch(/End to end +1 +14\.0 % +2\.7 MiB +[\d.]+ s\n/);
    expect(text).toMatch(/DGL +7 +13\.0 % +−1\.0 points +1\.2 MiB +0\.43 × +[\d.]+ s +[\d.]+ ×/);
    expect(text).toContain('one seed');
    expect(text).toContain(`Report: ${result.report}`);
    const counts = { ...result.counts, failed: 1 };
    expect(renderQuickstart({ ...result, counts })).toContain('Not finished: 1 failed. Run again to resume.');
    expect(text).not.toContain('diverged');
    const [first, second, ...rest] = result.runs as [MethodResult, MethodResult, ...MethodResult[]];
    const close = { accuracy: -0.0001, memory: 1, time: 1 };
    const more = [
      { ...first, seeds: [...first.seeds, ...first.seeds] },
      { ...second, relativeToBackprop: close },
      ...rest,
    ];
    const finished = { ...result.counts, finished: 6 };
    const uneven = renderQuickstart({ ...result, runs: more, counts: finished });
    expect(uneven).toContain('mean of 1 to 2 seeds');
    expect(uneven).toContain('+0.0 points');
    expect(uneven).toContain('1 of 6 runs diverged; the means omit them.');
  });
});

describe('quickstartResults', () => {
  const run = (seed: number, testAccuracy: number, status = 'finished') => {
    const amounts = { peakBytes: 100 * seed, seconds: seed, cost: { predictedPeakBytes: 9 } };
    const summary = { status, testAccuracy, ...amounts, epochs: [], objectives: [], backend: 'wasm', runId: 'r' };
    return { seed, folder: '/nowhere', summary, environment: null } as unknown as FinishedRun;
  };

  it('omits diverged runs from means, as reports do', async () => {
    const { conditions, seeds } = await quickstartExperiment(tiny);
    const runs = [[run(1, 0.5), run(3, 0.1, 'diverged')], [run(1, 0.25), run(2, 0.75)], [run(1, 0.1, 'diverged')], []];
    const study = { conditions: conditions.map((one, index) => ({ ...one, seeds, runs: runs[index] ?? [] })) };
    const results = await quickstartResults({ ...study, reference: conditions[0]?.key ?? null } as unknown as Study);
    expect(results.runs.map((one) => [one.testAccuracy, one.peakBytes, one.seconds, one.seeds.length])).toEqual([
      [0.5, 100, 1, 1],
      [0.5, 200, 1.5, 2],
    ]);
    expect(results.runs[1]?.relativeToBackprop).toEqual({ accuracy: 0, memory: 2, time: 1.5 });
  });
});

describe('quickstartExperiment', () => {
  it('is the shipped file if no setting differs', async () => {
    const { source, conditions, seeds } = await quickstartExperiment({
      seeds: 3,
      epochs: 4,
      backend: 'wasm',
      threads: 1,
    });
    expect(source).toContain('# no other backend is faster');
    expect(source).toContain('seeds: 3\n');
    expect(seeds).toEqual([1, 2, 3]);
    expect(conditions.map(({ name, config }) => [name, config.method, config.modules, config.epochs])).toEqual([
      ['Greedy', 'greedy', 7, 4],
      ['DGL', 'dgl', 7, 4],
      ['MLAAN', 'mlaan(greedy)', 7, 4],
      ['End to end', 'backprop', 1, 4],
    ]);
  });

  it('replaces settings, and reports an unknown backend when it is selected', async () => {
    const { conditions, seeds } = await quickstartExperiment({ seeds: 1, epochs: 2, backend: 'cpu', threads: 'auto' });
    expect(seeds).toEqual([1]);
    expect(conditions[0]?.config).toMatchObject({ epochs: 2, backend: 'cpu', threads: 'auto' });
  });
});
