import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, utimesSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { type BackendHandle, selectBackend } from '@localgrad/backends';
import { LocalgradError } from '@localgrad/core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { resolveConfig } from './config/resolve-config.js';
import type { ExecuteOptions } from './execute-options.js';
import { executeRun } from './execute-run.js';
import { readRunState } from './folder/run-state.js';
import { loadData } from './load-data.js';
import type { RunSplits } from './run-images.js';

const config = resolveConfig({
  method: 'greedy',
  backbone: 'tiny',
  modules: 2,
  resize: 8,
  trainImages: 20,
  testImages: 20,
  epochs: 2,
  batch: 10,
  backend: 'cpu',
});

let parent: string;
let backend: BackendHandle;
let data: RunSplits;
let weights: Buffer;
beforeAll(async () => {
  parent = mkdtempSync(join(tmpdir(), 'localgrad-other-'));
  backend = await selectBackend('cpu');
  data = await loadData(config);
  await execute('finished');
  weights = readFileSync(join(parent, 'finished/weights.safetensors'));
  const stop = new AbortController();
  const observe = (event: { readonly type: string; readonly epoch?: number }) => {
    if (event.type === 'epoch-end') stop.abort(new Error('stop'));
  };
  await expect(execute('interrupted', { observers: [{ observe }], signal: stop.signal })).rejects.toThrow('stop');
}, 60_000);
afterAll(() => {
  backend.dispose();
  rmSync(parent, { recursive: true, force: true });
});

const execute = (folder: string, options: Partial<ExecuteOptions> = {}) =>
  executeRun({
    config,
    folder: resolve(parent, folder),
    resume: 'auto',
    backend,
    data,
    keep: { everySteps: 1 },
    trackers: { csv: true },
    ...options,
  });

const kinds = {
  'a pipe': (path: string) => execFileSync('mkfifo', [path]),
  'a folder': (path: string) => mkdirSync(path),
  'a loop of links': (path: string) => symlinkSync(path, path),
};

/** A copy of a run with something else in the place of one of its files. */
function copyWith(start: string, name: string, kind: keyof typeof kinds): string {
  const folder = mkdtempSync(join(parent, 'copy-'));
  cpSync(join(parent, start), folder, { recursive: true });
  rmSync(join(folder, name), { force: true });
  kinds[kind](join(folder, name));
  return folder;
}

type Outcome = 'same' | RegExp;
const damaged = /is damaged: (it is a (device|folder)|the path contains a loop)/;
const unwritable = /Cannot write '.*': it is a folder/;

/** Outcome by kind, in the order of `kinds`; one for all if they agree. */
const outcomes: readonly (readonly [start: string, name: string, ...outcomes: Outcome[]])[] = [
  ['interrupted', '.localgrad.json', 'same', unwritable, 'same'],
  ['interrupted', 'config.yaml', damaged],
  ['interrupted', 'environment.json', 'same', unwritable, 'same'],
  ['interrupted', 'epochs.csv', damaged],
  ['interrupted', 'identity.json', damaged],
  ['interrupted', 'metrics.jsonl', 'same', unwritable, 'same'],
  ['interrupted', 'stopped.json', 'same', unwritable, 'same'],
  ['interrupted', 'summary.json', 'same'],
  ['interrupted', 'checkpoints/step-00000001-000001.json', 'same'],
  ['interrupted', 'checkpoints/step-00000002-000001.json', 'same'],
  ['interrupted', 'checkpoints/step-00000002-000001.safetensors', 'same'],
  ['finished', 'config.yaml', damaged],
  ['finished', 'metrics.jsonl', 'same'],
  ['finished', 'summary.json', 'same'],
  ['finished', 'weights.safetensors', 'same'],
  ['finished', 'claims/000001.json', 'same'],
];
const cases = outcomes.flatMap(([start, name, ...expected]) =>
  (
    [
      ['a pipe', 0],
      ['a folder', 1],
      ['a loop of links', 2],
    ] as const
  ).map(([kind, place]) => ({ start, name, kind, expected: expected[place] ?? expected[0] ?? 'same' })),
);

describe.skipIf(process.platform === 'win32')('something else in the place of a file', () => {
  it.each(cases)(
    'neither blocks nor changes a run: $kind as $name ($start)',
    async ({ start, name, kind, expected }) => {
      const folder = copyWith(start, name, kind);
      expect(['finished', 'interrupted', 'unreadable']).toContain((await readRunState(folder)).status);
      const problems: string[] = [];
      const executed = execute(folder, { onProblem: (message) => problems.push(message) });
      if (expected === 'same') {
        expect(await executed).toMatchObject({ summary: { steps: 4 } });
        const file = name === 'weights.safetensors' ? join(parent, start, name) : join(folder, 'weights.safetensors');
        expect(readFileSync(file)).toEqual(weights);
      } else {
        await expect(executed).rejects.toSatisfy(LocalgradError.isInstance);
        await expect(executed).rejects.toThrow(expected);
      }
      if (name === 'weights.safetensors') expect(problems).toEqual([expect.stringMatching(damaged)]);
    },
    20_000,
  );

  it.each(['a pipe', 'a folder'] as const)('counts as an attempt until it is stale, as a claim: %s', async (kind) => {
    const folder = copyWith('interrupted', 'claims/000001.json', kind);
    expect(await readRunState(folder)).toMatchObject({ status: 'running' });
    utimesSync(join(folder, 'claims/000001.json'), 1, 1);
    expect(await readRunState(folder)).toMatchObject({ status: 'interrupted' });
    await execute(folder);
    expect(readFileSync(join(folder, 'weights.safetensors'))).toEqual(weights);
  });
});
