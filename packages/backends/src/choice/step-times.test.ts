import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { selectBackend } from '../select.js';
import { measureStep } from './measure-step.js';
import { stepTimesStore } from './step-times.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'localgrad-cache-'));
  vi.stubEnv('LOCALGRAD_CACHE', join(folder, 'localgrad'));
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(folder, { recursive: true });
});

const file = () => join(folder, 'localgrad', 'step-times.json');

describe('measured times', () => {
  it('are kept in the cache folder, for each number of threads', async () => {
    const store = stepTimesStore({ threads: 2 });
    expect(await store.read()).toBeUndefined();
    await store.write({ wasm: 2, tensorflow: 3 });
    await stepTimesStore({ threads: 1 }).write({ wasm: 4, tensorflow: 3 });
    expect(await store.read()).toEqual({ wasm: 2, tensorflow: 3 });
    expect(await stepTimesStore({ threads: 1 }).read()).toEqual({ wasm: 4, tensorflow: 3 });
    expect(await stepTimesStore({}).read()).toBeUndefined();
    expect(await readdir(join(folder, 'localgrad'))).toEqual(['step-times.json']);
  });

  it.each(['', 'null', '[]', '{"x": null}', '{"x": {"wasm": "fast"}}'])(
    'are measured again if the file reads %j',
    async (text) => {
      await stepTimesStore({}).write({ wasm: 2 });
      await writeFile(file(), text);
      expect(await stepTimesStore({}).read()).toBeUndefined();
      await stepTimesStore({}).write({ wasm: 3 });
      expect(Object.values(JSON.parse(await readFile(file(), 'utf8')))).toEqual([{ wasm: 3 }]);
    },
  );

  it('are not kept where the folder cannot be created, which is no error', async () => {
    await writeFile(join(folder, 'localgrad'), 'a file');
    await stepTimesStore({}).write({ wasm: 2 });
    expect(await stepTimesStore({}).read()).toBeUndefined();
  });
});

it('measuring a piece of training takes some time and leaves no tensors', async () => {
  const backend = await selectBackend('wasm', { threads: 1 });
  const before = tf.memory().numTensors;
  expect(measureStep(1)).toBeGreaterThan(0);
  expect(tf.memory().numTensors).toBe(before);
  backend.dispose();
}, 120_000);
