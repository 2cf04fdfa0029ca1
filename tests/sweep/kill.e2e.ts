import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { createRandom } from '@localgrad/nn/random';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { resultIn, timeless } from './results.js';

const program = resolve(import.meta.dirname, '../../apps/benchmark/dist/cli.js');
const kills = Number(process.env.LOCALGRAD_TEST_KILLS ?? 50);
const seeds = kills < 10 ? 2 : 3;

let folder: string;
beforeAll(() => {
  if (!existsSync(program))
    throw new Error(`${program} is missing: these tests require a build; run npm run test:e2e.`);
  folder = mkdtempSync(join(tmpdir(), 'localgrad-kill-'));
  writeFileSync(
    join(folder, 'experiment.yaml'),
    `name: killed
base:
  method: "{method}"
  backbone: resnet14
  width: 4
  resize: 8
  trainImages: 600
  testImages: 200
  epochs: 3
  batch: 20
  backend: wasm
  threads: 1
  probe: true
factors:
  method: [greedy, "dgl(head: 1c2f)", "mlm(dgl)", "lam(greedy)", "mlaan(infopro)"]
include:
  - { name: end to end, method: backprop, modules: 1 }
seeds: ${seeds}
checkpoints: { everySteps: 7 }
`,
  );
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/**
 * Starts the sweep in its own process group, so that all its processes can be killed at once. Four kills in a row
 * before the first checkpoint would mark a run as failing, which is not the run's fault here.
 */
function start(into: string): { child: ChildProcess; ended: Promise<number | null>; complaint: () => string } {
  const child = spawn(
    process.execPath,
    [program, 'sweep', 'run', 'experiment.yaml', '--folder', into, '--processes', '2', '--retry-failed'],
    { cwd: folder, detached: true, stdio: ['ignore', 'ignore', 'pipe'] },
  );
  let text = '';
  child.stderr?.setEncoding('utf8').on('data', (more: string) => {
    text += more;
  });
  return { child, ended: new Promise((done) => child.once('exit', done)), complaint: () => text };
}

/** The number of attempts at runs that a sweep's processes have begun so far. */
function attemptsIn(into: string): number {
  const runs = join(folder, into, 'runs');
  if (!existsSync(runs)) return 0;
  return readdirSync(runs)
    .map((runId) => join(runs, runId, 'claims'))
    .filter(existsSync)
    .flatMap((claims) => readdirSync(claims).filter((name) => name.endsWith('.json'))).length;
}

/** Results of each run, including weights, without times and values that depend on interruptions. */
function resultsIn(into: string): Map<string, unknown> {
  const runs = join(folder, into, 'runs');
  return new Map(
    readdirSync(runs).map((runId) => {
      const lines = readFileSync(join(runs, runId, 'metrics.jsonl'), 'utf8')
        .trim()
        .split('\n');
      const metrics = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
      const events = metrics.filter(({ type }) => type !== 'run-start' && type !== 'run-end').map(timeless);
      const weights = readFileSync(join(runs, runId, 'weights.safetensors')).toString('base64');
      return [runId, { ...resultIn(join(runs, runId)), events, weights }];
    }),
  );
}

describe('a sweep of processes', () => {
  it(`that is killed ${kills} times has the results of an uninterrupted one, with no run lost or repeated`, async () => {
    const begun = performance.now();
    const straight = start('straight');
    while (straight.child.exitCode === null && attemptsIn('straight') === 0) await delay(10);
    const beginning = performance.now() - begun;
    expect(await straight.ended, straight.complaint()).toBe(0);
    // Two processes share the runs.
    const runTime = (performance.now() - begun - beginning) / (attemptsIn('straight') / 2);

    const random = createRandom(5, 'kills');
    let survived = 0;
    for (let kill = 0; kill < kills; kill++) {
      const before = attemptsIn('killed');
      const { child, ended } = start('killed');
      // Every other kill must hit running work, on busy machines too: it waits until a run has been claimed.
      const isAtWork = async () => {
        while (child.exitCode === null && attemptsIn('killed') === before) await delay(5);
        await delay(0.5 * runTime * random.uniform());
      };
      const moment = kill % 2 === 0 ? delay(beginning * (0.3 + 0.8 * random.uniform())) : isAtWork();
      const isEarly = await Promise.race([ended.then(() => true), moment.then(() => false)]);
      // If the sweep finishes early, the remaining kills hit the startup, which must not do any harm either.
      if (isEarly) survived++;
      else process.kill(-(child.pid as number), 'SIGKILL');
      await ended;
      // The workers' pipes may briefly outlive them.
      await delay(20);
    }
    const last = start('killed');
    expect(await last.ended, last.complaint()).toBe(0);

    const expected = resultsIn('straight');
    const actual = resultsIn('killed');
    expect([...actual.keys()].sort()).toEqual([...expected.keys()].sort());
    expect(expected.size).toBe(6 * seeds);
    for (const [runId, result] of expected) expect(actual.get(runId), runId).toEqual(result);

    let resumed = 0;
    for (const runId of actual.keys()) {
      const claims = join(folder, 'killed', 'runs', runId, 'claims');
      const attempts = readdirSync(claims)
        .filter((name) => name.endsWith('.json'))
        .sort()
        .map((name) => JSON.parse(readFileSync(join(claims, name), 'utf8')));
      // None if the process was killed between writing the summary and releasing the run, which is finished nevertheless. A
      // process that loaded its data meanwhile claims the run, finds the summary and trains nothing.
      const ends = attempts.filter(({ outcome }) => outcome === 'finished');
      const { mtimeMs } = statSync(join(folder, 'killed', 'runs', runId, 'summary.json'));
      const trainedAgain = ends.slice(1).filter(({ startedAt }) => Date.parse(startedAt) < Math.floor(mtimeMs));
      expect(trainedAgain, runId).toEqual([]);
      expect(
        attempts.filter(({ outcome }) => outcome === 'failed'),
        runId,
      ).toHaveLength(0);
      resumed += JSON.parse(readFileSync(join(folder, 'killed', 'runs', runId, 'summary.json'), 'utf8')).resumptions;
    }
    console.log(`${kills - survived} kills, ${survived} after the end; runs were taken up ${resumed} times`);
    // Half of the kills hit running work, and some of these before its first checkpoint.
    expect(resumed).toBeGreaterThanOrEqual(Math.min(5, Math.floor(kills / 4)));
  });
});
