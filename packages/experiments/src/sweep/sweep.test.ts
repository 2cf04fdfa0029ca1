import { existsSync, mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { JsonObject } from '@localgrad/core';
import { Claim, hashOf, noteFailure } from '@localgrad/runs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { type Experiment, parseExperiment } from '../files/experiment.js';
import { loadStudy } from './load-study.js';
import { summaryOf } from './summary.fixture.js';
import { readSweep, type Sweep, type SweepTask, writeSweep } from './sweep-folder.js';
import { readSweepStatus } from './sweep-status.js';
import { type TaskOutcome, workOn } from './work.js';

const schema = z.strictObject({ method: z.string(), modules: z.int().default(4), seed: z.int().default(1) });

function experiment(
  text = 'name: e\nbase: { method: "{m}" }\nfactors: { m: [a, b] }\nseeds: 2\n',
): Promise<Experiment> {
  return parseExperiment(text, 'e.yaml', { schema });
}

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'localgrad-sweep-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const prepare = async (of?: Experiment) =>
  writeSweep(folder, of ?? (await experiment()), { runIdOf: hashOf, command: 'run it' });

/** Claims, works a moment, and writes a summary: what a program does with a run. */
function executor(log: string[], work: (task: SweepTask) => Promise<void> = async () => {}) {
  return async (task: SweepTask, runFolder: string): Promise<TaskOutcome> => {
    mkdirSync(runFolder, { recursive: true });
    const claim = await Claim.acquire(runFolder);
    if (claim === undefined) return 'busy';
    try {
      // Another worker may have finished it between the look and the claim.
      if (existsSync(join(runFolder, 'summary.json'))) {
        await claim.release('stopped');
        return 'busy';
      }
      await work(task);
      log.push(task.name);
      writeFileSync(join(runFolder, 'summary.json'), JSON.stringify(summaryOf(task.runId)));
      await claim.release('finished');
      return 'finished';
    } catch (error) {
      await claim.release('failed', (error as Error).message);
      return 'failed';
    }
  };
}

function writeClaim(task: SweepTask, number: number, content: object, secondsOld = 0): void {
  const claims = join(folder, 'runs', task.runId, 'claims');
  mkdirSync(claims, { recursive: true });
  const file = join(claims, `00000${number}.json`);
  writeFileSync(file, JSON.stringify({ startedAt: '', ...content }));
  const time = new Date(Date.now() - 1000 * secondsOld);
  utimesSync(file, time, time);
}

describe('a sweep', () => {
  it('orders runs seed by seed, and reads back what it wrote', async () => {
    const sweep = await prepare();
    expect(sweep.tasks.map(({ name }) => name)).toEqual(['a, seed 1', 'b, seed 1', 'a, seed 2', 'b, seed 2']);
    expect(await readSweep(folder)).toEqual(sweep);
    await expect(readSweep(join(folder, 'nothing'))).rejects.toThrow(/contains no sweep.*sweep run/);
  });

  it('keeps finished runs when its file grows, and rejects another experiment', async () => {
    const log: string[] = [];
    await workOn({ sweep: await prepare(), execute: executor(log) });
    const larger = await prepare(
      await experiment('name: e\nbase: { method: "{m}" }\nfactors: { m: [a, b, c] }\nseeds: 2\n'),
    );
    expect((await readSweepStatus(larger)).counts).toMatchObject({ finished: 4, waiting: 2 });
    await workOn({ sweep: larger, execute: executor(log) });
    expect(log).toEqual(['a, seed 1', 'b, seed 1', 'a, seed 2', 'b, seed 2', 'c, seed 1', 'c, seed 2']);
    await expect(prepare(await experiment('name: other\nbase: { method: a }\n'))).rejects.toThrow(
      /contains the sweep 'e'/,
    );
  });

  it('keeps the indices of its runs when its file changes, and gives none twice', async () => {
    const withMethods = (methods: string) =>
      experiment(`name: e\nbase: { method: "{m}" }\nfactors: { m: [${methods}] }\nseeds: 2\n`);
    const indices = ({ tasks }: Sweep) => Object.fromEntries(tasks.map(({ name, index }) => [name, index]));
    const first = indices(await prepare(await withMethods('b, c')));
    expect(first).toEqual({ 'b, seed 1': 0, 'c, seed 1': 1, 'b, seed 2': 2, 'c, seed 2': 3 });
    const second = await prepare(await withMethods('a, b'));
    expect(second.tasks.map(({ name }) => name)).toEqual(['a, seed 1', 'b, seed 1', 'a, seed 2', 'b, seed 2']);
    expect(indices(second)).toEqual({ 'a, seed 1': 4, 'b, seed 1': 0, 'a, seed 2': 5, 'b, seed 2': 2 });
    // What was dropped and comes again is new: its old index may be in a queue that nobody thinks of any more.
    const third = await prepare(await withMethods('b, c'));
    expect(indices(third)).toEqual({ 'b, seed 1': 0, 'c, seed 1': 6, 'b, seed 2': 2, 'c, seed 2': 7 });
    expect(await readSweep(folder)).toEqual(third);
    const log: string[] = [];
    await workOn({ sweep: third, execute: executor(log), tasks: [6, 0] });
    expect(log).toEqual(['b, seed 1', 'c, seed 1']);
  });

  it('warns that it replaces runs, as of another experiment of the same name', async () => {
    const problems: string[] = [];
    const onProblem = (message: string) => void problems.push(message);
    const write = async (methods: string) => {
      const text = `name: e\nbase: { method: "{m}" }\nfactors: { m: [${methods}] }\nseeds: 2\n`;
      await writeSweep(folder, await experiment(text), { runIdOf: hashOf, onProblem });
    };
    await write('a, b');
    await write('a, b, c');
    expect(problems).toEqual([]);
    await write('b, d');
    expect(problems).toEqual([
      expect.stringMatching(/had 4 runs that the experiment does not have, e\.g\. 'a, seed 1'\..*rename one of them/),
    ]);
  });

  it('keeps the folders of its runs when a later version names new ones differently', async () => {
    const first = await prepare();
    const runIdOf = (config: JsonObject) => `later-${hashOf(config)}`;
    const text = 'name: e\nbase: { method: "{m}" }\nfactors: { m: [a, b, c] }\nseeds: 1\n';
    const { tasks } = await writeSweep(folder, await experiment(text), { runIdOf });
    expect(tasks.slice(0, 2)).toEqual(first.tasks.slice(0, 2));
    expect(tasks[2]).toMatchObject({ index: 4, runId: expect.stringMatching(/^later-/) });
  });

  it('is shared by workers: everything once, nothing twice', async () => {
    const sweep = await prepare(
      await experiment('name: e\nbase: { method: "{m}" }\nfactors: { m: [a, b, c, d] }\nseeds: 5\n'),
    );
    const log: string[] = [];
    const slow = executor(log, () => new Promise((resolve) => setTimeout(resolve, Math.random() * 5)));
    const counts = await Promise.all(
      Array.from({ length: 4 }, () => workOn({ sweep, execute: slow, pollSeconds: 0.02 })),
    );
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(20);
    expect([...log].sort()).toEqual(sweep.tasks.map(({ name }) => name).sort());
  });

  it('retries failed runs, then skips them and continues', async () => {
    const sweep = await prepare();
    const log: string[] = [];
    let tries = 0;
    const execute = executor(log, async ({ name }) => {
      if (name !== 'b, seed 1') return;
      tries++;
      throw new Error('no luck');
    });
    expect(await workOn({ sweep, execute })).toBe(3);
    expect(tries).toBe(1 + sweep.retries);
    const { counts, tasks } = await readSweepStatus(sweep);
    expect(counts).toMatchObject({ finished: 3, failed: 1 });
    expect(tasks.find(({ status }) => status === 'failed')?.message).toBe('no luck');
  });

  it('is worked on in parts', async () => {
    const sweep = await prepare();
    const log: string[] = [];
    await workOn({ sweep, execute: executor(log), tasks: [1, 3] });
    expect(log).toEqual(['b, seed 1', 'b, seed 2']);
  });

  it('continues with the other runs if one kills its workers', async () => {
    const sweep = await prepare();
    const [poison] = sweep.tasks as [SweepTask];
    const dead = { host: 'gone', pid: 1, startTicks: null };
    writeClaim(poison, 1, { owner: dead }, 90);
    const log: string[] = [];
    await workOn({ sweep, execute: executor(log) });
    expect(log).toEqual(['b, seed 1', 'a, seed 2', 'b, seed 2', 'a, seed 1']);
  });

  it('waits for those who hold its runs, and takes up what they lose, also in parts', async () => {
    const sweep = await prepare();
    const [task] = sweep.tasks as [SweepTask];
    const elsewhere = { host: 'another-machine', pid: 1, startTicks: '1' };
    writeClaim(task, 1, { owner: elsewhere });
    const log: string[] = [];
    const execute = executor(log);
    expect(await workOn({ sweep, execute, tasks: [0], wait: false })).toBe(0);
    const working = workOn({ sweep, execute, tasks: [0], pollSeconds: 0.02 });
    await new Promise((resolve) => setTimeout(resolve, 60));
    expect(log).toEqual([]);
    writeClaim(task, 1, { owner: elsewhere }, 90);
    expect(await working).toBe(1);
    expect(log).toEqual(['a, seed 1']);
  });

  it('is a study, finished or not', async () => {
    const sweep = await prepare();
    await workOn({ sweep, execute: executor([]), tasks: [0, 1, 2] });
    const study = await loadStudy(sweep, ['report it']);
    expect(study.conditions.map(({ name, runs }) => [name, runs.map(({ seed }) => seed)])).toEqual([
      ['a', [1, 2]],
      ['b', [1]],
    ]);
    expect(study.commands).toEqual(['run it', 'report it']);
    expect(study.conditions[1]?.seeds).toEqual([1, 2]);
  });

  it('is a study whose runs contain the inputs that they recorded', async () => {
    const sweep = await prepare();
    await workOn({ sweep, execute: executor([]) });
    const [{ runId }] = sweep.tasks as [SweepTask];
    const hash = '0'.repeat(64);
    const images = { images: 1, shape: [1, 1, 1], classes: 2, pixels: hash, labels: hash, targets: {} };
    const inputs = { modules: [], training: images, test: images, initialWeights: hash };
    const identity = { formatVersion: 1, runId, schemaVersion: 1, config: {}, ...inputs };
    writeFileSync(join(folder, 'runs', runId, 'identity.json'), JSON.stringify(identity));
    const [first] = (await loadStudy(sweep)).conditions;
    expect(first?.runs.map((run) => run.identity?.initialWeights)).toEqual([hash, undefined]);
  });

  it('ends if a run fails before it can record anything', async () => {
    const sweep = await prepare();
    const tried: string[] = [];
    const execute = async ({ runId }: SweepTask): Promise<TaskOutcome> => {
      tried.push(runId);
      return 'failed';
    };
    expect(await workOn({ sweep, execute })).toBe(0);
    expect(tried).toHaveLength((1 + sweep.retries) * sweep.tasks.length);
  });

  it('counts failures before the start of a run', async () => {
    const sweep = await prepare();
    const execute = async (_: SweepTask, runFolder: string): Promise<TaskOutcome> => {
      await noteFailure(runFolder, 'no images');
      return 'failed';
    };
    await workOn({ sweep, execute });
    const { tasks, counts } = await readSweepStatus(sweep);
    expect(counts.failed).toBe(sweep.tasks.length);
    for (const { attempts, message } of tasks) {
      expect(attempts).toHaveLength(1 + sweep.retries);
      expect(message).toBe('no images');
    }
  });
});
