import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { resultIn } from '../sweep/results.js';

const root = resolve(import.meta.dirname, '../..');
const program = join(root, 'apps/benchmark/dist/cli.js');
const slurm = join(root, 'tools/slurm/one-node.sh');

const started = process.getuid?.() === 0 ? spawnSync(slurm, ['start'], { encoding: 'utf8' }) : undefined;
const missing =
  started === undefined
    ? 'root is required'
    : started.status === 0
      ? undefined
      : started.stderr.trim() || 'it did not start';
if (missing !== undefined) console.warn(`\nSKIPPED: could not start a single-node Slurm: ${missing}\n`);

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'localgrad-slurm-'));
  writeFileSync(
    join(folder, 'experiment.yaml'),
    `name: queued
base: { method: "{method}", backbone: resnet14, width: 4, resize: 8, trainImages: 1000, testImages: 200, epochs: 12, batch: 20, backend: wasm, threads: 1 }
factors:
  method: [greedy, "mlm(dgl)"]
seeds: 2
checkpoints: { everySteps: 25 }
`,
  );
});
afterAll(() => {
  if (missing === undefined) spawnSync(slurm, ['stop']);
  rmSync(folder, { recursive: true, force: true });
});

function localgrad(...args: string[]): string {
  return execFileSync(process.execPath, [program, ...args], {
    cwd: folder,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

function status(): { counts: Record<string, number>; tasks: { status: string; task: { runId: string } }[] } {
  return JSON.parse(localgrad('sweep', 'status', 'queued', '--json'));
}

async function until(what: string, condition: () => boolean, seconds: number): Promise<void> {
  for (const end = Date.now() + 1000 * seconds; Date.now() < end; await delay(300)) if (condition()) return;
  throw new Error(`${what} did not happen in ${seconds} s:\n${localgrad('sweep', 'status', 'queued')}`);
}

const resultOf = (into: string, runId: string) => resultIn(join(folder, into, 'runs', runId));

describe.skipIf(missing !== undefined)('a sweep under Slurm', () => {
  it('survives a killed worker, a requeued element and a second submission, with the results of an uninterrupted run', async () => {
    const submission = JSON.parse(
      localgrad(
        'sweep',
        'run',
        'experiment.yaml',
        '--folder',
        'queued',
        '--executor',
        'slurm',
        '--parallelism',
        '2',
        '--minutes',
        '10',
        '--json',
      ),
    );
    expect(submission).toMatchObject({ jobId: expect.stringMatching(/^\d+$/), elements: 4, runs: 4 });
    const checkpoints = () =>
      readdirSync(join(folder, 'queued', 'runs'), { withFileTypes: true }).filter((entry) =>
        existsSync(join(folder, 'queued', 'runs', entry.name, 'checkpoints')),
      ).length;
    await until(
      'two runs with checkpoints',
      () => existsSync(join(folder, 'queued', 'runs')) && checkpoints() >= 2,
      120,
    );
    // One element is killed like in a crash; another is requeued, for which Slurm waits two minutes.
    spawnSync('pkill', ['-KILL', '-o', '-f', `${folder}/queued`]);
    spawnSync('scontrol', ['requeue', `${submission.jobId}_1`]);
    await until('detection of the killed run', () => (status().counts.interrupted ?? 0) > 0, 60);
    // Between two elements nothing runs for a moment, so that idleness alone does not say that they have completed.
    const isQuiet = ({ counts }: ReturnType<typeof status>) =>
      (counts.running ?? 0) === 0 && (counts.finished ?? 0) >= 2;
    await until('completion of the other elements', () => isQuiet(status()), 240);
    // A second submission resumes the lost runs immediately; it submits only unfinished runs.
    const left = 4 - (status().counts.finished ?? 0);
    if (left > 0) {
      const again = JSON.parse(
        localgrad('sweep', 'run', 'experiment.yaml', '--folder', 'queued', '--executor', 'slurm', '--json'),
      );
      // Elements that were still queued may have finished in the meantime.
      expect(again.runs).toBeLessThanOrEqual(left);
      // And the requeued element may have started, whose run is then left to it.
      const { finished = 0, running = 0 } = status().counts;
      expect(again.runs).toBeGreaterThanOrEqual(4 - finished - running);
    }
    await until('completion of all runs', () => status().counts.finished === 4, 240);
    spawnSync('scancel', ['--me']);

    localgrad('sweep', 'run', 'experiment.yaml', '--folder', 'straight', '--executor', 'debug', '--threads', '1');
    for (const { task } of status().tasks)
      expect(resultOf('queued', task.runId)).toEqual(resultOf('straight', task.runId));
    const logs = readdirSync(join(folder, 'queued', 'slurm')).filter((name) => name.endsWith('.log'));
    expect(logs.length).toBeGreaterThanOrEqual(4);
  });
});
