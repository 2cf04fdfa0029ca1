import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { runConfigSchema } from './config/run-config.js';
import { executeRun } from './execute-run.js';

/** A backbone without the option `width`. */
const small = (backbone: string) => ({ backbone, width: undefined });

let parent: string;
beforeAll(() => {
  parent = mkdtempSync(join(tmpdir(), 'localgrad-predicted-'));
});
afterAll(() => rmSync(parent, { recursive: true, force: true }));

// Of two micro-batches, neither has all gradients in memory where the peak is.
it.each([
  { method: 'dgl', accumulate: 1 },
  { method: 'dgl', accumulate: 2 },
  { method: 'dgl', accumulate: 4 },
  { method: 'mlm(dgl)', accumulate: 2 },
  { method: 'backprop', accumulate: 2 },
  // Micro-batches of 5 and 4, of 3, 2 and 3, and of 3, 2, 3 and 2 images.
  { method: 'dgl', accumulate: 2, batch: 9 },
  { method: 'mlm(dgl)', accumulate: 2, batch: 9 },
  { method: 'backprop', accumulate: 3, batch: 8, trainImages: 64 },
  { method: 'dgl', accumulate: 3, batch: 8, trainImages: 64 },
  { method: 'dgl', accumulate: 3, batch: 8, trainImages: 64, clipNorm: 1 },
  { method: 'dgl', accumulate: 4, batch: 10 },
  // Gradients arrive while activations are freed.
  { method: 'dgl', accumulate: 1, clipNorm: 1 },
  { method: 'dgl', accumulate: 2, clipNorm: 1 },
  { method: 'dgl', accumulate: 4, clipNorm: 1 },
  { method: 'mlm(dgl)', accumulate: 1, clipNorm: 1 },
  { method: 'backprop', accumulate: 1, clipNorm: 1 },
  // Few activations: the peak is the update.
  { method: 'dgl', accumulate: 1, clipNorm: 1, batch: 4, width: 32 },
  { method: 'backprop', modules: 1, clipNorm: 1, ...small('mlp(layers: 3, width: 32)'), resize: 8, batch: 15 },
  // Without momentum, the new weights take the place of the gradients.
  { method: 'dgl', optimizer: 'sgd(momentum: 0)', ...small('mlp(layers: 3, width: 32)'), resize: 12, batch: 17 },
  { method: 'dgl(head: auglocal-dgl)', momentum: 0, ...small('resnet50(width: 8, layers: [1, 1, 1, 1])'), resize: 8 },
])('the memory of a run is predicted: %j', async (input) => {
  const config = runConfigSchema.parse({
    ...{ backbone: 'resnet14', width: 4, modules: 4, resize: 16, trainImages: 60, testImages: 10 },
    ...{ epochs: 1, batch: 20, backend: 'wasm', threads: 1, ...input },
  });
  const result = await executeRun({
    config,
    folder: join(parent, JSON.stringify(Object.values(input))),
    resume: 'auto',
  });
  const { peakBytes = 0, cost } = result?.summary ?? {};
  expect(Math.abs((cost?.predictedPeakBytes ?? 0) / peakBytes - 1)).toBeLessThan(0.002);
});
