import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { selectBackend } from '@localgrad/backends';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checkRun } from './config/check-run.js';
import { type RunConfigInput, runConfigSchema } from './config/run-config.js';
import { executeRun } from './execute-run.js';
import { exportWeights } from './export-weights.js';
import { readSummary } from './folder/run-state.js';
import { identifyRun } from './identity/run-identity.js';
import { loadData } from './load-data.js';

const configOf = (input: RunConfigInput = {}) =>
  runConfigSchema.parse({
    ...{ method: 'greedy', backbone: 'tiny', modules: 2, resize: 8, trainImages: 60, testImages: 20 },
    ...{ validation: 0.3, epochs: 2, batch: 20, backend: 'cpu' },
    ...input,
  });

let parent: string;
beforeAll(() => {
  parent = mkdtempSync(join(tmpdir(), 'localgrad-validation-'));
});
afterAll(() => rmSync(parent, { recursive: true, force: true }));

describe('a run with validation images', () => {
  it('trains without them, and records what they choose, which its files keep', async () => {
    const folder = join(parent, 'run');
    const config = configOf();
    const data = await loadData(config);
    expect([data.train.size, data.validation?.size]).toEqual([40, 20]);
    const result = await executeRun({ config, folder, resume: 'auto', data });
    const summary = result?.summary;
    expect(summary?.steps).toBe(4);
    const [first, second] = summary?.epochs ?? [];
    expect(summary?.validation?.accuracy).toBe(second?.validationAccuracy);
    const best = summary?.epochs.find(({ epoch }) => epoch === summary.validation?.best?.epoch);
    expect(summary?.validation?.best).toMatchObject({
      accuracy: Math.max(first?.validationAccuracy ?? 0, second?.validationAccuracy ?? 0),
      testAccuracy: best?.testAccuracy,
    });
    expect((await readSummary(folder))?.validation).toEqual(summary?.validation);
    const identity = JSON.parse(readFileSync(join(folder, 'identity.json'), 'utf8'));
    expect(identity).toMatchObject({
      config: { validation: 0.3 },
      validation: { images: 20 },
      training: { images: 40 },
    });
    // It finds itself again, and a run without validation images is another one.
    expect(await executeRun({ config, folder, resume: 'auto', data })).toMatchObject({ wasFinished: true });
    await expect(executeRun({ config: configOf({ validation: undefined }), folder, resume: 'auto' })).rejects.toThrow(
      /validation: 0\.3 there, not set here; training images: 40 there, 60 here/,
    );
  });

  it('chooses by the metric of its config, which is part of its identity only if it is given', async () => {
    const config = configOf({ metric: 'loss' });
    const data = await loadData(config);
    const folder = join(parent, 'loss');
    const keep = { keepBest: true, keepLast: 1 };
    const summary = (await executeRun({ config, folder, resume: 'auto', data, keep }))?.summary;
    const losses = summary?.epochs.map(({ validationLoss = Number.NaN }) => validationLoss) ?? [];
    const epoch = losses.indexOf(Math.min(...losses)) + 1;
    expect(summary).toMatchObject({ metric: { name: 'loss', lowerIsBetter: true }, validation: { best: { epoch } } });
    expect((await readSummary(folder))?.metric).toEqual(summary?.metric);
    const file = { source: folder, format: 'localgrad', output: join(parent, 'best.safetensors') } as const;
    expect((await exportWeights({ ...file, checkpoint: 'best' })).checkpoint).toEqual({
      ...{ step: 2 * epoch, epochs: epoch, accuracy: null },
      metric: { name: 'loss', set: 'validation', value: losses[epoch - 1] },
    });
    const { config: own } = await identifyRun(config, data);
    expect(own).toMatchObject({ metric: 'loss' });
    expect((await identifyRun(configOf(), data)).config).not.toHaveProperty('metric');
  });

  it('rejects an unknown metric before it has a folder, and checks it without training', async () => {
    const config = configOf({ metric: 'meanIoU' });
    const data = await loadData(config);
    const folder = join(parent, 'unknown');
    const message = /^metric: 'meanIoU'; allowed: loss, accuracy, top5\.$/;
    await expect(executeRun({ config, folder, resume: 'auto', data })).rejects.toThrow(message);
    expect(existsSync(folder)).toBe(false);
    const backend = await selectBackend('cpu');
    await expect(checkRun(config, data)).rejects.toThrow(message);
    await expect(checkRun(configOf({ metric: 'top5' }), data)).resolves.toBeUndefined();
    backend.dispose();
  });

  it('has an identity that other validation images change', async () => {
    const config = configOf();
    const data = await loadData(config);
    const others = await loadData(configOf({ validation: 0.2 }));
    if (others.validation === undefined) throw new Error('no validation images');
    const { runId } = await identifyRun(config, data);
    expect((await identifyRun(config, { ...data, validation: others.validation } as typeof data)).runId).not.toBe(
      runId,
    );
    expect((await identifyRun(config, await loadData(config))).runId).toBe(runId);
  });
});
