import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { createRandom } from '@localgrad/nn/random';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const program = resolve(import.meta.dirname, '../../apps/benchmark/dist/cli.js');
const kills = 6;

let folder: string;
beforeAll(() => {
  if (!existsSync(program))
    throw new Error(`${program} is missing: these tests require a build; run npm run test:e2e.`);
  folder = mkdtempSync(join(tmpdir(), 'localgrad-early-'));
  writeFileSync(
    join(folder, 'experiment.yaml'),
    `name: search
base: { method: greedy, backbone: tiny, modules: 2, resize: 8, trainImages: 200, testImages: 100, batch: 20, epochs: 5, backend: wasm, threads: 1 }
grid: { learningRate: [0.05, 0.2, 0.001, 0.1, 0, 0.01, 0.3, 0.02] }
seeds: 2
earlyStopping: { graceEpochs: 2, peers: 3 }
`,
  );
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** In a process group of its own, so that all processes of the sweep can be killed at once. */
function start(into: string, processes: number): { child: ChildProcess; ended: Promise<number | null> } {
  const child = spawn(
    process.execPath,
    [
      ...[program, 'sweep', 'run', 'experiment.yaml', '--folder', into],
      ...['--processes', String(processes), '--threads', '1', '--retry-failed'],
    ],
    { cwd: folder, detached: true, stdio: 'ignore' },
  );
  return { child, ended: new Promise((done) => child.once('exit', done)) };
}

/** What became of each run: why it was stopped, or its accuracy. */
function ends(into: string): Record<string, unknown> {
  const runs = join(folder, into, 'runs');
  const of = (run: string, name: string): unknown => {
    const file = join(runs, run, name);
    return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : undefined;
  };
  const accuracy = (summary: unknown) =>
    typeof summary === 'object' && summary !== null && 'testAccuracy' in summary ? summary.testAccuracy : undefined;
  return Object.fromEntries(
    readdirSync(runs)
      .sort()
      .map((run) => [run, of(run, 'stopped.json') ?? accuracy(of(run, 'summary.json'))]),
  );
}

describe('early stopping', () => {
  it('stops the same runs with one process, with four, and after kill -9', async () => {
    expect(await start('one', 1).ended).toBe(0);
    const expected = ends('one');
    const stopped = Object.values(expected).filter((end) => typeof end === 'object');
    expect(Object.keys(expected)).toHaveLength(16);
    expect(stopped.length).toBeGreaterThan(2);

    expect(await start('four', 4).ended).toBe(0);
    expect(ends('four')).toEqual(expected);

    const random = createRandom(7);
    let killed = 0;
    for (;;) {
      const { child, ended } = start('killed', 4);
      if (killed === kills) {
        expect(await ended).toBe(0);
        break;
      }
      await Promise.race([delay(3_000 + 5_000 * random.uniform()), ended]);
      if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, 'SIGKILL');
      await ended;
      killed++;
    }
    expect(ends('killed')).toEqual(expected);
  });
});
