import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { hashOf, runConfigSchema } from '@localgrad/runs';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { parseExperiment } from '../files/experiment.js';
import { runFolderOf, type SweepTask, writeSweep } from '../sweep/sweep-folder.js';
import { TaskRunner, type WorkerMessage } from './task-runner.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'localgrad-task-runner-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

it('leaves the report of a run to the worker that finished it', async () => {
  const text = `name: e
base: { method: greedy, backbone: tiny, modules: 2, resize: 8, trainImages: 20, testImages: 20, epochs: 1, batch: 20, backend: cpu }
seeds: 1
`;
  const experiment = await parseExperiment(text, 'e.yaml', { schema: runConfigSchema });
  const sweep = await writeSweep(folder, experiment, { runIdOf: hashOf });
  const task = sweep.tasks[0] as SweepTask;
  const messages: WorkerMessage[] = [];
  const outcomes: string[] = [];
  // Both looked before either had finished.
  for (const _ of ['first', 'second']) {
    const runner = new TaskRunner({ sweep, report: (message) => void messages.push(message) });
    outcomes.push(await runner.run(task, runFolderOf(sweep, task)));
    runner.dispose();
  }
  expect(outcomes).toEqual(['finished', 'busy']);
  const ends = messages.flatMap((message) => (message.type === 'task-end' ? [message.outcome] : []));
  expect(ends).toEqual(['finished', 'busy']);
}, 60_000);
