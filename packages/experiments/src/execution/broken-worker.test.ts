import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { codeOf, fileSystem, hashOf, readRunState, runConfigSchema } from '@localgrad/runs';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { parseExperiment } from '../files/experiment.js';
import { runFolderOf, type Sweep, writeSweep } from '../sweep/sweep-folder.js';
import { readSweepStatus } from '../sweep/sweep-status.js';
import { workOn } from '../sweep/work.js';
import { TaskRunner, type WorkerMessage } from './task-runner.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'localgrad-broken-'));
});
afterEach(() => {
  vi.restoreAllMocks();
  rmSync(folder, { recursive: true, force: true });
});

async function prepare(methods: readonly string[], backend = 'cpu'): Promise<Sweep> {
  const text = `name: e
base: { method: "{m}", backbone: tiny, modules: 2, resize: 8, trainImages: 20, testImages: 20, epochs: 1, batch: 20, backend: ${backend} }
factors: { m: ${JSON.stringify(methods)} }
seeds: 2
retries: 1
`;
  const experiment = await parseExperiment(text, 'e.yaml', { schema: runConfigSchema });
  return writeSweep(join(folder, 'sweep'), experiment, { runIdOf: hashOf });
}

async function work(sweep: Sweep, tasks?: readonly number[]) {
  const messages: WorkerMessage[] = [];
  const runner = new TaskRunner({ sweep, report: (message) => void messages.push(message) });
  try {
    const execute = runner.run.bind(runner);
    const finished = await workOn({ sweep, execute, ...(tasks === undefined ? {} : { tasks }) });
    return { finished, error: undefined, messages };
  } catch (error) {
    return { finished: 0, error, messages };
  } finally {
    runner.dispose();
  }
}

/** A plugin that throws in its plan. */
function brokenMethod(): string {
  const file = join(folder, 'broken-method.mjs');
  writeFileSync(
    file,
    `export const method = () => ({ specVersion: 'v1', name: 'broken', config: { method: 'broken' }, plan() { throw new TypeError('a bug'); } });`,
  );
  return file;
}

describe('a worker', () => {
  it('stops after three runs if its backend is missing, and returns them without counting an attempt', async () => {
    const sweep = await prepare(['greedy', 'dgl'], 'tensorflow-gpu');
    const { error, messages } = await work(sweep);
    expect(error).toMatchObject({
      code: 'backend-unavailable',
      message: expect.stringMatching(
        /^This worker stops: its last 3 runs failed for external reasons, and were returned to the sweep\. The last error: Backend 'tensorflow-gpu'.* Its check found: Backend 'tensorflow-gpu'/,
      ),
    });
    expect(messages.filter(({ type }) => type === 'task-end')).toMatchObject([
      { outcome: 'returned' },
      { outcome: 'returned' },
      { outcome: 'returned' },
    ]);
    const { counts, tasks } = await readSweepStatus(sweep);
    expect(counts).toMatchObject({ waiting: 4, failed: 0 });
    expect(tasks.flatMap(({ attempts }) => attempts)).toEqual([]);
  });

  it('releases runs whose method file is missing, and finishes the others', async () => {
    const missing = join(folder, 'missing-method.mjs');
    const sweep = await prepare(['greedy', missing]);
    const { finished, error } = await work(sweep);
    expect(error).toBeUndefined();
    expect(finished).toBe(2);
    expect((await readSweepStatus(sweep)).counts).toMatchObject({ finished: 2, waiting: 2, failed: 0 });
  });

  it('releases its runs when the disk is full; the sweep resumes once there is space', async () => {
    const sweep = await prepare(['greedy', 'dgl']);
    const { write } = fileSystem;
    vi.spyOn(fileSystem, 'write').mockImplementation(async (handle, bytes, position) => {
      if (bytes.length > 2000) throw Object.assign(new Error('ENOSPC'), { code: 'ENOSPC' });
      return write(handle, bytes, position);
    });
    const { error } = await work(sweep);
    expect(error).toMatchObject({
      message: expect.stringMatching(/The last error: Cannot write '.*': the disk is full/),
    });
    vi.restoreAllMocks();
    const states = await Promise.all(sweep.tasks.map((task) => readRunState(runFolderOf(sweep, task), { retries: 0 })));
    for (const { status } of states) expect(status).not.toBe('failed');
    expect((await work(sweep)).finished).toBe(4);
    expect(codeOf(error)).toBeUndefined();
  });

  it('counts the failures of a run whose plugin has a bug, when other runs work', async () => {
    const sweep = await prepare([brokenMethod(), 'greedy']);
    const { finished, error } = await work(sweep);
    expect(error).toBeUndefined();
    expect(finished).toBe(2);
    const { tasks, counts } = await readSweepStatus(sweep);
    expect(counts).toMatchObject({ finished: 2, failed: 2 });
    for (const { task, attempts, message } of tasks) {
      if (task.condition !== tasks[0]?.task.condition) continue;
      expect(attempts.map(({ outcome }) => outcome)).toEqual(['failed', 'failed']);
      expect(message).toMatch(/^Method 'broken': plan failed: a bug \(broken-method\.mjs:1:\d+\)$/);
    }
  });

  it('counts failures caused by a bug in a plugin when no other run is left', async () => {
    const sweep = await prepare([brokenMethod()]);
    const { error } = await work(sweep, [0]);
    expect(error).toBeUndefined();
    expect((await readSweepStatus(sweep)).counts).toMatchObject({ failed: 1, waiting: 1 });
  });

  it('continues if a failure cannot be recorded', async () => {
    const sweep = await prepare([brokenMethod()]);
    vi.spyOn(fileSystem, 'link').mockRejectedValue(Object.assign(new Error('EIO'), { code: 'EIO' }));
    const { error, messages } = await work(sweep, [0]);
    expect(error).toBeUndefined();
    expect(messages).toContainEqual({
      type: 'problem',
      message: expect.stringMatching(/^the failure could not be recorded: Cannot write /),
    });
  });

  it('starts its backend again after an error that may have broken it', async () => {
    const sweep = await prepare(['greedy']);
    const { rename } = fileSystem;
    vi.spyOn(fileSystem, 'rename')
      .mockImplementationOnce(rename)
      .mockRejectedValueOnce(Object.assign(new Error('EIO'), { code: 'EIO' }));
    const { finished, messages } = await work(sweep);
    expect(messages.filter(({ type }) => type === 'task-end').map((end) => 'outcome' in end && end.outcome)).toContain(
      'returned',
    );
    expect(finished).toBe(2);
  });
});
