import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { readSweep } from '../sweep/sweep-folder.js';
import { createExperiment } from './experiment-file.js';
import { planSweep } from './plan-sweep.js';
import { runSweep } from './run-sweep.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'localgrad-check-conditions-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

it('names the condition and the line of an exception in a method, beside the other problems', async () => {
  const file = join(folder, 'own.mjs');
  const plan = `{ throw new Error('I am broken'); }`;
  writeFileSync(
    file,
    `export const method = () => ({ specVersion: 'v1', name: 'own', config: { method: 'own' }, plan() ${plan} });`,
  );
  const text = `name: e
base: { method: "{of}", backbone: tiny, modules: 2, resize: 8, trainImages: 40, testImages: 20, epochs: 1, batch: 20, backend: cpu }
factors: { of: { ours: ${JSON.stringify(file)}, greedy: greedy } }
include:
  - { name: large, method: greedy, batch: 64 }
seeds: 1
`;
  writeFileSync(join(folder, 'e.yaml'), text);
  const planned = planSweep({ file: join(folder, 'e.yaml'), folder: join(folder, 'sweep') });
  const message: string = await planned.then(
    () => expect.unreachable(),
    (error: Error) => error.message,
  );
  expect(message.split('\n')).toEqual([
    expect.stringMatching(
      /e\.yaml:\d+:\d+: condition 'ours' cannot run: Method 'own': plan failed: I am broken \(own\.mjs:1:\d+\)$/,
    ),
    expect.stringMatching(/e\.yaml:5:\d+: condition 'large' cannot run: batch: 64; allowed: /),
  ]);
}, 60_000);

it('runs chosen conditions although finished runs of another one had other inputs, and warns about these', async () => {
  const base = { backbone: 'tiny', modules: 2, resize: 8, trainImages: 10, testImages: 10, epochs: 2, batch: 10 };
  const run = async (only: string[] | undefined, more: object = {}) => {
    const problems: string[] = [];
    const experiment = await createExperiment({
      ...{ name: 'e', base: { ...base, backend: 'cpu' }, grid: { method: ['greedy', 'dgl'] }, seeds: 1 },
      ...more,
    });
    const { counts } = await runSweep({
      ...{ experiment, folder, only, executor: 'debug' },
      onProblem: (message) => problems.push(message),
    });
    return { finished: counts.finished, problems };
  };
  expect(await run(undefined)).toEqual({ finished: 2, problems: [] });
  const { tasks } = await readSweep(folder);
  const changed = tasks.find(({ config }) => config.method === 'dgl')?.runId ?? '';
  // As if the run had been trained on other images.
  const file = join(folder, 'runs', changed, 'identity.json');
  const identity = JSON.parse(readFileSync(file, 'utf8'));
  writeFileSync(file, JSON.stringify({ ...identity, training: { ...identity.training, pixels: '0'.repeat(64) } }));
  const refusal = /^Finished runs had other inputs\. .*\n'method dgl, seed 1' \(.*\): training images differ/;
  await expect(run(undefined)).rejects.toThrow(refusal);
  await expect(run(['*dgl'])).rejects.toThrow(refusal);
  const warning = expect.stringMatching(
    /^Finished runs of other conditions had other inputs\. .*\n'method dgl, seed 1' \(/,
  );
  expect(await run(['*greedy'], { seeds: 2 })).toEqual({ finished: 3, problems: [warning] });
  // A rule of early stopping compares the runs of all conditions.
  const earlyStopping = { graceEpochs: 1, peers: 1 };
  await expect(run(['*greedy'], { earlyStopping })).rejects.toThrow(refusal);
  // The choice of a value depends on the runs of all candidates.
  const tune = { grid: {}, tune: { method: ['greedy', 'dgl'] } };
  await expect(run(['*greedy'], tune)).rejects.toThrow(/^Finished runs had other inputs/);
}, 60_000);
