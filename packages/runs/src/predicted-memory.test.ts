import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { runConfigSchema } from './config/run-config.js';
import { executeRun } from './execute-run.js';

let parent: string;
beforeAll(() => {
  parent = mkdtempSync(join(tmpdir(), 'localgrad-predicted-'));
});
afterAll(() => rmSync(parent, { recursive: true, force: true }));

// Of two micro-batches, neither has all gradients in memory where the peak is.
it.each([
  ['dgl', 1],
  ['dgl', 2],
  ['dgl', 4],
  ['mlm(dgl)', 2],
  ['backprop', 2],
])('the memory of %s with %i micro-batches is predicted', async (method, accumulate) => {
  const config = runConfigSchema.parse({
    ...{ method, accumulate, backbone: 'resnet14', width: 4, modules: 4, resize: 16, trainImages: 60, testImages: 10 },
    ...{ epochs: 1, batch: 20, backend: 'wasm', threads: 1 },
  });
  const result = await executeRun({ config, folder: join(parent, `${method} ${accumulate}`), resume: 'auto' });
  const { peakBytes = 0, cost } = result?.summary ?? {};
  expect(Math.abs((cost?.predictedPeakBytes ?? 0) / peakBytes - 1)).toBeLessThan(0.002);
});
