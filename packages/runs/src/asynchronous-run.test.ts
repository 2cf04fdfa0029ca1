import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type BackendHandle, selectBackend } from '@localgrad/backends';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type RunConfigInput, runConfigSchema } from './config/run-config.js';
import { executeRun } from './execute-run.js';
import { explain } from './explain.js';
import { loadData } from './load-data.js';
import type { RunSplits } from './run-images.js';

const base: RunConfigInput = {
  backbone: 'resnet8',
  width: 2,
  modules: 3,
  method: 'dgl(head: 1c2f)',
  resize: 8,
  trainImages: 40,
  testImages: 20,
  batch: 10,
  epochs: 2,
  backend: 'wasm',
  threads: 1,
};

let backend: BackendHandle;
let data: RunSplits;
let root: string;
beforeAll(async () => {
  backend = await selectBackend('wasm', { threads: 1 });
  data = await loadData(runConfigSchema.parse(base));
  root = mkdtempSync(join(tmpdir(), 'localgrad-asynchronous-'));
});
afterAll(() => {
  backend.dispose();
  rmSync(root, { recursive: true, force: true });
});

/** Runs to the end, or stops after a step as a signal does; returns the checksum of the weights. */
async function run(name: string, more: RunConfigInput, stopAt?: number) {
  const folder = join(root, name);
  const stop = new AbortController();
  const result = await executeRun({
    config: runConfigSchema.parse({ ...base, ...more }),
    folder,
    resume: 'auto',
    backend,
    data,
    signal: stop.signal,
    observers: [
      {
        observe(event) {
          if (event.type === 'step-end' && event.step === stopAt) stop.abort(new Error('stopped by the test'));
        },
      },
    ],
  }).catch((error: unknown) => {
    if (stop.signal.aborted) return undefined;
    throw error;
  });
  return result?.summary;
}

const asynchronous = 'buffer: 2, order: random, slow: 1@2';

describe('a run with the key asynchronous', () => {
  it('ends in the same bits when it is stopped and resumed', async () => {
    const straight = await run('straight', { asynchronous });
    expect(await run('resumed', { asynchronous }, 3)).toBeUndefined();
    const resumed = await run('resumed', { asynchronous });
    expect(resumed?.resumptions).toBe(1);
    expect(resumed?.weights).toEqual(straight?.weights);
    // Losses are stored until they are read, which the prediction leaves out.
    expect(straight?.peakBytes).toBeLessThan(1000 + (straight?.cost.predictedPeakBytes ?? 0));
  });

  it('is another run than the synchronous one, and its identity names the expression', async () => {
    const [synchronous, actual] = [await run('none', {}), await run('straight', { asynchronous })];
    expect(actual?.weights).not.toEqual(synchronous?.weights);
    expect(actual?.cost.predictedPeakBytes).toBeGreaterThan(synchronous?.cost.predictedPeakBytes ?? 0);
    const identity = (name: string) => JSON.parse(readFileSync(join(root, name, 'identity.json'), 'utf8')).config;
    expect(identity('straight').asynchronous).toBe(asynchronous);
    expect(identity('none')).not.toHaveProperty('asynchronous');
    await expect(run('none', { asynchronous })).rejects.toThrow(/asynchronous: 'none' there/);
  });

  it('trains the same weights as the synchronous run with equal paces', async () => {
    const [synchronous, actual] = [await run('none', {}), await run('equal', { asynchronous: 'buffer: 3' })];
    expect(actual?.weights).toEqual(synchronous?.weights);
  });

  it.each<[RunConfigInput, string]>([
    [{ asynchronous: 'buffer: x' }, "asynchronous: 'buffer: x': buffer: 'x'; allowed: integers ≥ 1."],
    [{ asynchronous: 'slow: 3@2' }, "option 'slow' is 3; allowed: module indices from 0 to 2."],
    [{ asynchronous, method: 'mlm(dgl)' }, "loss '"],
    [{ asynchronous, workers: 2 }, "order 'random' is simulated in one process"],
    [
      { asynchronous, memoryBudget: '1GiB', modules: runConfigSchema.parse({}).modules },
      'memoryBudget does not count replay buffers',
    ],
  ])('rejects %j before anything is written', async (more, message) => {
    await expect(run('rejected', more)).rejects.toThrow(message);
  });
});

describe('explain', () => {
  it('predicts the bytes of replay buffers, and how often modules train', async () => {
    const config = { ...runConfigSchema.parse({ ...base, asynchronous: 'buffer: 2, slow: 1@2' }), batch: 10 };
    const options = { ...config, image: [8, 8, 1] as const };
    const { asynchrony, totals } = await explain(options);
    const synchronous = await explain({ ...options, asynchronous: 'none' });
    // Two batches of 10 maps of 8 × 8 × 2 values and 10 labels.
    expect(asynchrony?.buffers[0]?.bytes).toBe(2 * 4 * 10 * (8 * 8 * 2 + 1));
    expect(asynchrony?.buffers.map(({ slots, targets }) => [slots, targets])).toEqual([
      [2, ['labels']],
      [2, ['labels']],
    ]);
    expect(asynchrony?.timing?.map(({ updatesPerBatch }) => updatesPerBatch)).toEqual([1, 0.5, 1]);
    expect(totals.predictedPeakBytes).toBe(synchronous.totals.predictedPeakBytes + (asynchrony?.bytes ?? 0));
    expect(synchronous).not.toHaveProperty('asynchrony');
  });
});
