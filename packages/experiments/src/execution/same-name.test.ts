import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { hashOf, runConfigSchema } from '@localgrad/runs';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type Experiment, parseExperiment } from '../files/experiment.js';
import { writeSweep } from '../sweep/sweep-folder.js';
import { runSweep, type SweepEvent } from './run-sweep.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'localgrad-same-name-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function experiment(method: string): Promise<Experiment> {
  const text = `name: e
base: { method: ${method}, backbone: tiny, modules: 2, resize: 8, trainImages: 20, testImages: 20, epochs: 1, batch: 20, backend: cpu }
seeds: 1
`;
  return parseExperiment(text, 'e.yaml', { schema: runConfigSchema });
}

async function problemsOf(meanwhile: () => Promise<unknown>): Promise<string[]> {
  const events: SweepEvent[] = [];
  await runSweep({
    experiment: await experiment('greedy'),
    folder: join(folder, 'sweep'),
    executor: 'debug',
    beforeFirst: async () => void (await meanwhile()),
    onEvent: (event) => void events.push(event),
  });
  return events.flatMap((event) => (event.type === 'problem' ? [event.message] : []));
}

it('a sweep reports that another experiment of its name has replaced it', async () => {
  const other = await experiment('dgl');
  const problems = await problemsOf(() => writeSweep(join(folder, 'sweep'), other, { runIdOf: hashOf }));
  expect(problems).toEqual([
    expect.stringMatching(/^Another command changed the sweep in .* another experiment of the name 'e', rename one/),
  ]);
}, 60_000);

it('a sweep reports nothing if it is left alone', async () => {
  expect(await problemsOf(async () => {})).toEqual([]);
}, 60_000);
