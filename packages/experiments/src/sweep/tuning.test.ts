import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { Claim, hashOf, noteFailure } from '@localgrad/runs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { leftRuns } from '../execution/left-runs.js';
import { parseExperiment } from '../files/experiment.js';
import { summaryOf } from './summary.fixture.js';
import { runFolderOf, type Sweep, type SweepTask, writeSweep } from './sweep-folder.js';
import { readSweepStatus } from './sweep-status.js';
import { type TaskOutcome, workOn } from './work.js';

const schema = z.strictObject({
  method: z.string(),
  rate: z.number().default(1),
  validation: z.number().optional(),
  seed: z.int().default(1),
});

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'localgrad-tuning-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Two settings with three candidates each, and three seeds. */
async function prepare({ tuneSeeds = 'tuneSeeds: 1', base = '' } = {}): Promise<Sweep> {
  const text = `name: e
base: { method: "{m}"${base} }
factors: { m: [a, b] }
tune: { rate: [1, 2, 3] }
${tuneSeeds}
seeds: 3
`;
  return writeSweep(folder, await parseExperiment(text, 'e.yaml', { schema }), { runIdOf: hashOf });
}

/** With seed 1, `a` is best at rate 2 and `b` at rate 3; with other seeds it would be rate 1. */
function accuracyOf({ config, seed }: SweepTask): number {
  if (seed !== 1) return 0.9 - 0.1 * Number(config.rate);
  return config.rate === (config.method === 'a' ? 2 : 3) ? 0.7 : 0.6;
}

function writeSummary(sweep: Sweep, task: SweepTask, more: object = { testAccuracy: accuracyOf(task) }): void {
  const run = runFolderOf(sweep, task);
  mkdirSync(run, { recursive: true });
  writeFileSync(join(run, 'summary.json'), JSON.stringify({ ...summaryOf(task.runId), ...more }));
}

/** Executes a run as a program does; now and then it is lost instead. */
function executor(sweep: Sweep, log: string[], isLost: () => boolean = () => false) {
  return async (task: SweepTask, run: string): Promise<TaskOutcome> => {
    mkdirSync(run, { recursive: true });
    const claim = await Claim.acquire(run);
    if (claim === undefined) return 'busy';
    await setTimeout(Math.random() * 10);
    if (existsSync(join(run, 'summary.json')) || isLost()) {
      await claim.release('stopped');
      return 'busy';
    }
    log.push(task.name);
    writeSummary(sweep, task);
    await claim.release('finished');
    return 'finished';
  };
}

const chosen = ['a, rate 2', 'b, rate 3'];
const expected = [
  ...['a', 'b'].flatMap((method) => [1, 2, 3].map((rate) => `${method}, rate ${rate}, seed 1`)),
  ...[2, 3].flatMap((seed) => chosen.map((name) => `${name}, seed ${seed}`)),
];

describe('seeds that make the choices of tune', () => {
  it.each([1, 4])('let the others run with the chosen values only, with %i workers', async (workers) => {
    const sweep = await prepare();
    const before = await readSweepStatus(sweep);
    expect([before.needed, before.counts.waiting, before.counts.skipped]).toEqual([10, 18, 0]);
    const log: string[] = [];
    let losses = 5;
    const isLost = () => Math.random() < 0.2 && losses-- > 0;
    const options = { sweep, execute: executor(sweep, log, isLost), pollSeconds: 0.01 };
    await Promise.all(Array.from({ length: workers }, () => workOn(options)));
    expect([...log].sort()).toEqual([...expected].sort());
    const status = await readSweepStatus(sweep);
    expect([status.needed, status.counts.finished, status.counts.skipped]).toEqual([10, 10, 8]);
    expect(leftRuns(sweep, status)).toEqual([]);
  });

  it('choose as soon as the runs of a setting have ended, also where a run has failed for good', async () => {
    const sweep = await prepare();
    const statusOf = async (name: string) => {
      const { tasks } = await readSweepStatus(sweep);
      const found = tasks.find(({ task }) => task.name === name);
      return [found?.status, found?.need];
    };
    const [first, second, third] = sweep.tasks;
    if (first === undefined || second === undefined || third === undefined) throw new Error('no tasks');
    for (const task of [first, third]) writeSummary(sweep, task);
    expect(await statusOf('a, rate 1, seed 2')).toEqual(['waiting', 'wait']);
    // Rate 2 would have been the best.
    for (let failures = 0; failures < 3; failures++) await noteFailure(runFolderOf(sweep, second), 'broken');
    expect(await statusOf('a, rate 1, seed 2')).toEqual(['waiting', 'run']);
    expect(await statusOf('a, rate 3, seed 2')).toEqual(['skipped', 'skip']);
    expect(await statusOf('b, rate 3, seed 2')).toEqual(['waiting', 'wait']);
  });

  it('ignore diverged runs, and keep what has run with other values', async () => {
    const sweep = await prepare();
    for (const task of sweep.tasks) {
      const isDiverged = task.name === 'a, rate 2, seed 1';
      writeSummary(sweep, task, { testAccuracy: accuracyOf(task), ...(isDiverged ? { status: 'diverged' } : {}) });
    }
    const status = await readSweepStatus(sweep);
    expect([status.counts.finished, status.counts.skipped]).toEqual([18, 0]);
    rmSync(runFolderOf(sweep, sweep.tasks.find(({ name }) => name === 'a, rate 3, seed 3') as SweepTask), {
      recursive: true,
    });
    expect((await readSweepStatus(sweep)).counts.skipped).toBe(1);
  });

  it('choose by validation images if runs hold some out', async () => {
    const sweep = await prepare({ base: ', validation: 0.1' });
    for (const task of sweep.tasks.slice(0, 6)) {
      const accuracy = task.config.rate === 1 ? 0.9 : 0.1;
      writeSummary(sweep, task, { testAccuracy: accuracyOf(task), validation: { accuracy, best: null } });
    }
    const { tasks } = await readSweepStatus(sweep);
    const needed = tasks.filter(({ status }) => status === 'waiting').map(({ task }) => task.name);
    expect(needed).toEqual(['a, rate 1, seed 2', 'b, rate 1, seed 2', 'a, rate 1, seed 3', 'b, rate 1, seed 3']);
  });

  it('are all seeds by default', async () => {
    const { seeds, tuneSeeds, tasks } = await prepare({ tuneSeeds: '' });
    expect([seeds, tuneSeeds, tasks.length]).toEqual([[1, 2, 3], [1, 2, 3], 18]);
  });

  it.each([
    ['tuneSeeds: 4', "e.yaml:5:1: 'tuneSeeds' is 4; allowed: 1 to 3, the number of seeds"],
    ['tuneSeeds: 0', 'e.yaml:5:12: tuneSeeds: '],
  ])('are at least one, and at most all of them: %s', async (tuneSeeds, message) => {
    await expect(prepare({ tuneSeeds })).rejects.toThrow(message);
  });

  it('need something to choose from', async () => {
    const text = 'name: e\nbase: { method: a }\ntuneSeeds: 1\nseeds: 2\n';
    await expect(parseExperiment(text, 'e.yaml', { schema })).rejects.toThrow(
      "e.yaml:3:1: 'tuneSeeds' has no effect without 'tune'; remove it, or list values under 'tune'",
    );
  });
});
