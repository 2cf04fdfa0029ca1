import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type BackendHandle, selectBackend } from '@localgrad/backends';
import { encodePng } from '@localgrad/data';
import type { TrainingEvent } from '@localgrad/train';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildPlan } from './build-plan.js';
import { type RunConfigInput, runConfigSchema } from './config/run-config.js';
import { executeRun } from './execute-run.js';
import { loadData } from './load-data.js';
import { prepareRun } from './prepare-run.js';
import { areStreamed } from './run-images.js';

const [height, width] = [24, 40];
let backend: BackendHandle;
let folder = '';

async function writePair(part: string, index: number): Promise<void> {
  const values = Uint8Array.from({ length: height * width }, (_, at) => (((at % width) + 3 * index) % 7 < 3 ? 1 : 0));
  const colors = Uint8Array.from([...values].flatMap((value) => [60 + 90 * value, 200 - 11 * index, 30 + index]));
  for (const [kind, bytes, channels] of [
    ['images', colors, 3],
    ['masks', values, 1],
  ] as const) {
    const file = await encodePng({ height, width, channels, bytes });
    writeFileSync(join(folder, 'shapes', kind, part, `${index}.png`), file);
  }
}

beforeAll(async () => {
  backend = await selectBackend('wasm', { threads: 1 });
  folder = mkdtempSync(join(tmpdir(), 'localgrad-scaled-crops-'));
  for (const part of ['train', 'test']) {
    for (const kind of ['images', 'masks']) mkdirSync(join(folder, 'shapes', kind, part), { recursive: true });
    for (let index = 0; index < 6; index++) await writePair(part, index);
  }
  writeFileSync(join(folder, 'shapes', 'classes.txt'), 'ground\nstripe\n');
});
afterAll(() => {
  backend.dispose();
  rmSync(folder, { recursive: true, force: true });
});

const configOf = (input: RunConfigInput = {}) =>
  runConfigSchema.parse({
    ...{
      dataset: join(folder, 'shapes'),
      pipeline: 'cityscapes',
      backbone: 'fcn-resnet18(width: 4, layers: [1, 1, 1, 1])',
    },
    ...{ method: 'infopro(head: infopro-segmentation, decoder: segmentation)', modules: 2, batch: 2, epochs: 2 },
    ...{ backend: 'wasm', threads: 1, logEvery: 1 },
    ...input,
  });

describe('the pipeline of Cityscapes', () => {
  it('trains on crops, and tests and validates on whole images', async () => {
    const config = configOf({ resize: [16, 20], validation: 0.3 });
    const data = await loadData(config);
    expect([data.train.imageShape, data.test.imageShape]).toEqual([
      [16, 20, 3],
      [16, 20, 3],
    ]);
    const { options, extra, dispose } = await prepareRun(config, data);
    expect(extra.normalization?.mean).toEqual([0.485, 0.456, 0.406]);
    const shapesOf = async (batches: typeof options.testBatches) => {
      const shapes: unknown[] = [];
      for await (const batch of batches?.epoch(0) ?? []) {
        shapes.push([batch.images.shape, batch.targets.masks?.shape, batch.targets.images?.shape]);
        batch.dispose();
      }
      return shapes;
    };
    const crop = [
      [2, 16, 20, 3],
      [2, 16, 20],
      [2, 16, 20, 3],
    ];
    expect(await shapesOf(options.batches)).toEqual([crop, crop]);
    const whole = [[1, height, width, 3], [1, height, width], undefined];
    expect(await shapesOf(options.testBatches)).toEqual(Array.from({ length: 6 }, () => whole));
    expect(await shapesOf(options.validationBatches)).toEqual([whole, whole]);
    dispose();
  });

  it('crops 512×1024, without resize', async () => {
    const data = await loadData(configOf());
    if (!areStreamed(data)) throw new Error('images in memory');
    expect(data.train.imageShape).toEqual([512, 1024, 3]);
  });

  it('yields the same network for any number of workers, and after resuming within an epoch', async () => {
    const results: object[] = [];
    for (const [decodeWorkers, stopsAt] of [
      [1, undefined],
      [4, undefined],
      [4, 4],
    ] as const) {
      const config = configOf({ resize: [height, width], decodeWorkers });
      const run = join(folder, `${decodeWorkers}-${stopsAt}`);
      const stop = new AbortController();
      const observe = (event: TrainingEvent) => {
        if (event.type === 'step-end' && event.step === stopsAt) stop.abort(new Error('stopped by the test'));
      };
      const options = { config, folder: run, resume: 'auto', backend, keep: { everySteps: 1 } } as const;
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
});

it('the predicted memory of a batch contains its label maps, with and without the data set', async () => {
  const config = configOf({ pipeline: undefined, method: 'backprop', resize: [16, 20], batch: 4 });
  const data = await loadData(config);
  for (const images of [data.train, { imageShape: [16, 20, 3], classes: 2 } as const]) {
    const { compiled, dispose } = await buildPlan(config, images);
    // Three channels and a class of each pixel.
    expect(compiled.predict(4).batchBytes).toBe(4 * (3 + 1) * 16 * 20 * Float32Array.BYTES_PER_ELEMENT);
    dispose();
  }
});

it.each(['before', 'during'] as const)(
  'a channel without contrast is rejected, decoded %s training',
  async (decode) => {
    const gray = join(folder, `gray-${decode}`);
    for (const part of ['train', 'test']) {
      for (const [kind, channels] of [
        ['images', 3],
        ['masks', 1],
      ] as const) {
        mkdirSync(join(gray, kind, part), { recursive: true });
        const file = await encodePng({ height, width, channels, bytes: new Uint8Array(height * width * channels) });
        for (const index of [0, 1]) writeFileSync(join(gray, kind, part, `${index}.png`), file);
      }
    }
    writeFileSync(join(gray, 'classes.txt'), 'ground\nstripe\n');
    const config = configOf({ dataset: gray, pipeline: undefined, resize: [16, 20], decode });
    const result = executeRun({ config, folder: join(folder, `gray-run-${decode}`), resume: 'auto', backend });
    await expect(result).rejects.toThrow(
      /gray-.*': channel 0 has the same value in every image, so its deviation is 0/,
    );
  },
);
