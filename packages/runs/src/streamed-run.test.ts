import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type BackendHandle, selectBackend } from '@localgrad/backends';
import type { BatchSource, TrainingEvent } from '@localgrad/train';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type RunConfigInput, runConfigSchema } from './config/run-config.js';
import { executeRun } from './execute-run.js';
import { identifyRun } from './identity/run-identity.js';
import { loadData } from './load-data.js';
import { prepareRun } from './prepare-run.js';
import { areStreamed } from './run-images.js';

const dataset = fileURLToPath(new URL('../../image-data/src/fixtures/folder', import.meta.url));

const configOf = (input: RunConfigInput) =>
  runConfigSchema.parse({
    ...{ dataset, backbone: 'tiny', modules: 2, resize: 12, batch: 2, epochs: 2, backend: 'wasm', threads: 1 },
    ...input,
  });

let backend: BackendHandle;
let folder = '';
beforeAll(async () => {
  backend = await selectBackend('wasm', { threads: 1 });
  folder = mkdtempSync(join(tmpdir(), 'localgrad-streamed-'));
});
afterAll(() => {
  backend.dispose();
  rmSync(folder, { recursive: true, force: true });
});

/** Images and labels of the second epoch. */
async function valuesOf(batches: BatchSource): Promise<number[][]> {
  const values: number[][] = [];
  for await (const { images, targets, dispose } of batches.epoch(1)) {
    values.push([...(await images.data())], [...((await targets.labels?.data()) ?? [])]);
    values.push([...((await targets.images?.data()) ?? [])]);
    dispose();
  }
  return values;
}

async function batchesOf(input: RunConfigInput) {
  const config = configOf(input);
  const { options, extra, dispose } = await prepareRun(config, await loadData(config));
  const { normalization } = extra;
  const { batches, testBatches } = options;
  if (testBatches === undefined) throw new Error('no test images');
  const values = { train: await valuesOf(batches), test: await valuesOf(testBatches), normalization };
  dispose();
  return values;
}

describe('images that are decoded during training', () => {
  it.each<[string, RunConfigInput]>([
    ['shifts and flips', { augment: 'cifar10', method: 'infopro' }],
    ['no augmentation', {}],
    ['rectangles', { augment: 'cifar10', resize: [10, 14] }],
    ['fewer images', { trainImages: 4, testImages: 1 }],
    ['a pipeline with its own normalization', { pipeline: 'cifar10' }],
    ['an erased square, and batches of one class', { cutout: 4, classesPerBatch: 1, batch: 3 }],
  ])('have the bits of those that are decoded before it: %s', async (_, input) => {
    const during = await batchesOf({ ...input, decode: 'during' });
    expect(during).toEqual(await batchesOf({ ...input, decode: 'before' }));
  });

  it('yield the same network for any number of workers, and after resuming', async () => {
    const results: object[] = [];
    for (const [decodeWorkers, stopsAt] of [
      [1, undefined],
      [4, undefined],
      [4, 4],
    ] as const) {
      const config = configOf({ pipeline: 'imagenet', resize: 14, decodeWorkers, logEvery: 1 });
      const run = join(folder, `${decodeWorkers}-${stopsAt}`);
      const stop = new AbortController();
      const observe = (event: TrainingEvent) => {
        if (event.type === 'step-end' && event.step === stopsAt) stop.abort(new Error('stopped by the test'));
      };
      const options = { config, folder: run, resume: 'auto', backend } as const;
      if (stopsAt !== undefined) {
        const stopped = executeRun({ ...options, observers: [{ observe }], signal: stop.signal });
        await expect(stopped).rejects.toThrow('stopped by the test');
      }
      const result = await executeRun(options);
      expect(result?.summary.resumptions).toBe(stopsAt === undefined ? 0 : 1);
      const { steps, runId, weights } = result?.summary ?? {};
      results.push({ steps, runId, weights, bytes: readFileSync(join(run, 'weights.safetensors')).toString('base64') });
    }
    expect(results[0]).toMatchObject({ steps: 6 });
    expect(results[1]).toEqual(results[0]);
    expect(results[2]).toEqual(results[0]);
  }, 60_000);

  it('use the papers’ ImageNet pipeline by name, at its size or a smaller one', async () => {
    const shapes = async (resize?: RunConfigInput['resize']) => {
      const data = await loadData(configOf({ pipeline: 'imagenet', resize }));
      if (!areStreamed(data)) throw new Error('images in memory');
      return [data.train.imageShape, data.test.shorter];
    };
    expect(await shapes()).toEqual([[224, 224, 3], 256]);
    expect(await shapes(56)).toEqual([[56, 56, 3], 64]);
    expect(await shapes([56, 112])).toEqual([[56, 112, 3], 64]);
  });

  it('rejects a pipeline for label maps where images have classes', async () => {
    const loaded = loadData(configOf({ pipeline: 'cityscapes' }));
    await expect(loaded).rejects.toThrow(/pipeline: 'cityscapes' crops images with label maps.*pipeline imagenet/);
  });

  it('are identified by the content of their files', async () => {
    const config = configOf({ decode: 'during' });
    const whole = await identifyRun(config, await loadData(config));
    const fewer = await identifyRun(config, await loadData({ ...config, trainImages: 4 }));
    expect(whole.training).toMatchObject({ images: 6, shape: [12, 12, 3], classes: 2 });
    expect(fewer.training.pixels).not.toBe(whole.training.pixels);
    expect(fewer.test).toEqual(whole.test);
  });

  it.each<[RunConfigInput, string]>([
    [{ decode: 'during', resize: undefined }, 'resize: not given; images of'],
    [{ decode: 'during', pad: 16 }, 'pad: has no effect on images that are decoded during training; omit it.'],
    [{ decode: 'before', pipeline: 'imagenet' }, "decode: 'before' cannot be combined with pipeline 'imagenet'"],
    [{ decode: 'during', dataset: 'fashion-mnist-subset' }, "decode: has no effect on 'fashion-mnist-subset'"],
    [{ decode: 'during', trainImages: 7 }, 'trainImages: 7; allowed: 1 to 6, the number of images in the data set.'],
  ])('rejects %j', async (input, message) => {
    await expect(loadData(configOf(input))).rejects.toThrow(message);
  });

  it('rejects a pipeline of photographs for images in memory', async () => {
    const config = configOf({ dataset: 'fashion-mnist-subset', pipeline: 'imagenet', trainImages: 10, testImages: 10 });
    await expect(prepareRun(config, await loadData(config))).rejects.toThrow(/pipeline: 'imagenet' crops photographs/);
  });
});
