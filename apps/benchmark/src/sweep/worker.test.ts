import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readSweep, type SweepTask, TaskRunner, type WorkerMessage } from '@localgrad/experiments';
import { listAttempts } from '@localgrad/runs';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { runCaptured as run } from '../command-line.fixture.js';

let folder: string;
let before: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'localgrad-worker-'));
  before = process.cwd();
  process.chdir(folder);
});
afterAll(() => {
  process.chdir(before);
  rmSync(folder, { recursive: true, force: true });
});
beforeEach(() => rmSync('localgrad-sweeps', { recursive: true, force: true }));

/** Two runs of a second each, or with `backend: tensorflow-gpu` none that can be begun. */
const experiment = (methods: string, backend = 'wasm', name = 'e') => `name: ${name}
base: { method: "{m}", backbone: tiny, modules: 2, resize: 8, trainImages: 40, testImages: 20, epochs: 1, batch: 20, backend: ${backend}, threads: 1 }
factors: { m: [${methods}] }
seeds: 1
retries: 0
`;

async function prepare(text: string) {
  writeFileSync('e.yaml', text);
  const { exitCode, stderr } = await run('sweep', 'prepare', 'e.yaml');
  expect(exitCode, stderr).toBe(0);
  return readSweep('localgrad-sweeps/e');
}

function claimElsewhere(runId: string, secondsOld: number): string {
  const claims = join('localgrad-sweeps/e/runs', runId, 'claims');
  mkdirSync(claims, { recursive: true });
  const file = join(claims, '000001.json');
  writeFileSync(file, JSON.stringify({ owner: { host: 'pod', pid: 1, startTicks: '7' }, startedAt: '' }));
  const time = new Date(Date.now() - 1000 * secondsOld);
  utimesSync(file, time, time);
  return file;
}

describe('localgrad worker', () => {
  it('waits for a run that a lost process may hold, and takes it up', async () => {
    const { tasks } = await prepare(experiment('greedy'));
    // A pod that was killed 59 seconds ago: its replacement comes too early to take over.
    claimElsewhere(tasks[0]?.runId as string, 59);
    const { exitCode, stdout, stderr } = await run('worker', 'e.yaml', '--task', '0');
    expect(exitCode, stderr).toBe(0);
    expect(stdout).toBe('finished 1 runs\n');
  });

  it('exits without waiting on request, and lists the remaining runs', async () => {
    const { tasks } = await prepare(experiment('greedy'));
    claimElsewhere(tasks[0]?.runId as string, 0);
    const { exitCode, stdout } = await run('worker', 'e.yaml', '--task', '0', '--no-wait', '--json');
    expect(exitCode).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ finished: 0, passed: true, left: [{ index: 0, status: 'running' }] });
  });

  it('ends with exit code 1 where a run of its is not finished', async () => {
    await prepare(experiment('greedy, dgl', 'tensorflow-gpu'));
    const { exitCode, stdout, stderr } = await run('worker', 'e.yaml', '--task', '1');
    expect(exitCode).toBe(1);
    // The backend is missing on this machine, which is no failure of the run.
    expect(stdout).toMatch(/^finished 0 runs\nwaiting {3}dgl, seed 1 \(.*\n$/);
    expect(stderr).toMatch(/returned {2}dgl, seed 1 .*Backend 'tensorflow-gpu' is not available/);
  });

  it.each(['', '0,', '1.5', ' 0', '-1'])('takes no tasks for %j', async (text) => {
    await prepare(experiment('greedy'));
    const { exitCode, stderr } = await run('worker', 'e.yaml', `--task=${text}`);
    expect(exitCode).toBe(2);
    expect(stderr).toContain('Allowed: whole numbers from 0, separated by commas');
  });

  it('passes over what the experiment wants no more, and refuses what it never had', async () => {
    await prepare(experiment('greedy, dgl'));
    await prepare(experiment('dgl'));
    const { exitCode, stdout, stderr } = await run('worker', 'e.yaml', '--task', '0');
    expect(exitCode).toBe(0);
    expect(stdout).toBe('finished 0 runs\n');
    expect(stderr).toContain('task 0 is no longer part of the experiment and is skipped');
    expect((await run('worker', 'e.yaml', '--task', '2')).stderr).toMatch(/no task 2 .* Allowed: 0 to 1/);
  });
});

describe('TaskRunner', () => {
  it('returns a run whose folder cannot be created', async () => {
    const sweep = await prepare(experiment('greedy'));
    const messages: WorkerMessage[] = [];
    const runner = new TaskRunner({ sweep, report: (message) => void messages.push(message) });
    // No folder can be made in a file.
    expect(await runner.run(sweep.tasks[0] as SweepTask, join('e.yaml', 'run'))).toBe('returned');
    runner.dispose();
    expect(messages.map(({ type }) => type)).toEqual(['task-start', 'task-end']);
    expect(messages[1]).toMatchObject({ message: expect.stringMatching(/is a file or lies below one/) });
  });
});

describe('localgrad sweep run', () => {
  it('ends with exit code 1 where runs are not done, and names them', async () => {
    writeFileSync('e.yaml', experiment('greedy'));
    // From sources there is no program that workers could be.
    const { exitCode, stdout, stderr } = await run('sweep', 'run', 'e.yaml', '--processes', '1', '--threads', '1');
    expect(exitCode).toBe(1);
    expect(stdout).toMatch(/^1 runs: 1 waiting\nwaiting {3}greedy, seed 1 \(localgrad-sweeps\/e\/runs\/\w+\)\n/);
    expect(stderr.match(/worker 1 ended/g)).toHaveLength(3);
    // That runs wait is no failure of those who only look.
    expect((await run('sweep', 'status', 'e.yaml')).exitCode).toBe(0);
  });

  it('retries runs that have failed for good with --retry-failed', async () => {
    writeFileSync('e.yaml', experiment('greedy').replace('batch: 20', 'batch: 20, learningRate: 1e30, logEvery: 1'));
    const attempts = async () => {
      const { tasks } = await readSweep('localgrad-sweeps/e');
      const found = await listAttempts(join('localgrad-sweeps/e/runs', tasks[0]?.runId as string));
      return found.map(({ outcome }) => outcome);
    };
    const first = await run('sweep', 'run', 'e.yaml', '--executor', 'debug');
    expect(first.exitCode).toBe(1);
    expect(first.stdout).toContain('again     localgrad sweep run e.yaml --retry-failed\n');
    await run('sweep', 'run', 'e.yaml', '--executor', 'debug');
    expect(await attempts()).toEqual(['failed']);
    const again = await run('sweep', 'run', 'e.yaml', '--executor', 'debug', '--retry-failed');
    expect(again.exitCode).toBe(1);
    expect(await attempts()).toEqual(['failed', 'reset', 'failed']);
  });

  it.each([
    [['run', '--cpus', '2'], /--cpus: 'local' has no use for it\. It has --processes/],
    [['run', '--executor', 'debug', '--minutes', '9', '--memory', '1GiB'], /--memory, --minutes: 'debug' .* for them/],
    [['run', '--executor', 'slurm', '--processes', '2'], /--processes: 'slurm' has no use for it\. Jobs have --cpus/],
    [['manifest', '--kind', 'kubernetes', '--runs-per-job', '2'], /--runs-per-job: 'kubernetes' .* one index for each/],
    [['manifest', '--kind', 'shell', '--image', 'x'], /--image: 'shell' has no use for it/],
  ])('rejects flags without effect: %j', async ([command, ...flags], message) => {
    writeFileSync('e.yaml', experiment('greedy'));
    const { exitCode, stderr } = await run('sweep', command as string, 'e.yaml', ...(flags as string[]));
    expect(exitCode).toBe(2);
    expect(stderr).toMatch(message);
  });

  it('prints a Kubernetes Job for the given folder', async () => {
    writeFileSync('e.yaml', experiment('greedy'));
    const { stdout } = await run('sweep', 'manifest', 'e.yaml', '--kind', 'kubernetes', '--folder', 'some/where');
    expect(stdout).toContain('exec localgrad worker /localgrad/where --threads 1');
  });
});
