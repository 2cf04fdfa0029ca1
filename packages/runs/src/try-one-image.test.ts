import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type RunConfigInput, runConfigSchema } from './config/run-config.js';
import { executeRun } from './execute-run.js';

let parent: string;
beforeAll(() => {
  parent = mkdtempSync(join(tmpdir(), 'localgrad-one-image-'));
});
afterAll(() => rmSync(parent, { recursive: true, force: true }));

/** Trains; returns the number of steps, and how it ended. */
async function train(input: RunConfigInput): Promise<{ steps: number; ended: unknown }> {
  const config = runConfigSchema.parse({
    ...{ backbone: 'resnet8', width: 4, modules: 2, resize: 8, trainImages: 21, testImages: 10, epochs: 2 },
    ...{ batch: 10, backend: 'cpu', ...input },
  });
  let steps = 0;
  const observe = ({ type }: { type: string }) => {
    if (type === 'step-end') steps++;
  };
  const folder = join(parent, JSON.stringify(Object.values(input)));
  const run = executeRun({ config, folder, resume: 'auto', observers: [{ observe }] });
  const ended = await run.then(
    (result) => result?.summary.status,
    (error: unknown) => error,
  );
  return { steps, ended };
}

const oneImage = expect.objectContaining({
  message: expect.stringMatching(/cannot be trained on a batch of one image.*also the last batch of an epoch/),
});

describe('a last batch with a single image', () => {
  it.each([
    // DGL's heads normalize maps of 1×1.
    { method: 'dgl' },
    { method: 'dgl', accumulate: 2, trainImages: 23 },
    // Of three phases, the second has such a head.
    { method: 'sequential(deep-supervision(greedy, after: 1, head: dgl-mlp-sr))', modules: 3, epochs: 6 },
  ])('ends the run before its first step if it cannot be trained on: %j', async (input) => {
    expect(await train(input)).toEqual({ steps: 0, ended: oneImage });
  });

  it('is trained on otherwise; the trial leaves no tensor', async () => {
    const before = tf.memory().numTensors;
    expect(await train({ method: 'greedy' })).toEqual({ steps: 6, ended: 'finished' });
    expect(tf.memory().numTensors).toBe(before);
  });
});
