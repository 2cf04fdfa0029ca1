import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checkNames } from './config/check-names.js';
import { type RunConfigInput, runConfigSchema } from './config/run-config.js';
import { loadData } from './load-data.js';
import { isStreamed, type RunImages } from './run-images.js';

const configOf = (input: RunConfigInput) => runConfigSchema.parse({ resize: 8, ...input });

describe('validation images', () => {
  it('are a fraction of the training images of each class, the same for every seed', async () => {
    const config = { trainImages: 100, testImages: 20, validation: 0.2 };
    const { train, validation, test } = await loadData(configOf(config));
    expect([train.size, validation?.size, test.size]).toEqual([80, 20, 20]);
    const counts = Array.from({ length: 10 }, () => 0);
    for (const label of validation?.labels ?? []) counts[label] = (counts[label] ?? 0) + 1;
    expect(counts).toEqual(Array.from({ length: 10 }, () => 2));
    const other = await loadData(configOf({ ...config, seed: 2 }));
    expect(other.validation).toEqual(validation);
    const whole = await loadData(configOf({ trainImages: 100, testImages: 20 }));
    expect([whole.train.size, 'validation' in whole]).toEqual([100, false]);
  });

  it('share no image with those that are left, in memory and decoded during training', async () => {
    const dataset = fileURLToPath(new URL('../../image-data/src/fixtures/folder', import.meta.url));
    for (const decode of ['before', 'during'] as const) {
      const config = configOf({ dataset, decode, validation: 0.34 });
      const all = await loadData(configOf({ dataset, decode }));
      const { train, validation } = await loadData(config);
      if (validation === undefined) throw new Error('no validation images');
      expect([all.train.size, train.size, validation.size]).toEqual([6, 4, 2]);
      expect([...validation.labels].sort()).toEqual([0, 1]);
      const hashes = await Promise.all(
        [...Array(train.size).keys()]
          .map((index) => contentOf(train, index))
          .concat([...Array(validation.size).keys()].map((index) => contentOf(validation, index))),
      );
      expect(new Set(hashes).size).toBe(6);
    }
  });

  it('need a class with two training images', async () => {
    await expect(loadData(configOf({ trainImages: 10, testImages: 10, validation: 0.5 }))).rejects.toThrow(
      /^validation: no image of '.*' can be held out, since no class has two training images\.$/,
    );
    expect(() => configOf({ validation: 1 })).toThrow(/validation/);
  });
});

/** The pixels of an image, or its file, as text. */
async function contentOf(images: RunImages, index: number): Promise<string> {
  if (isStreamed(images)) return Buffer.from(await images.encoded.read(index)).toString('base64');
  const length = images.images.length / images.size;
  return Buffer.from(images.images.slice(index * length, (index + 1) * length)).toString('base64');
}

describe('a folder of images as the data set', () => {
  let project = '';
  beforeAll(() => {
    project = mkdtempSync(join(tmpdir(), 'localgrad-load-data-'));
    const fixtures = fileURLToPath(new URL('../../image-data/src/fixtures/folder', import.meta.url));
    for (const name of ['photos', 'my photos (old)']) cpSync(fixtures, join(project, name), { recursive: true });
  });
  afterAll(() => rmSync(project, { recursive: true, force: true }));

  it.each<[string, number]>([
    ['./photos', 6],
    ['./my photos (old)', 6],
    ['"./my photos (old)"(holdOut: 0.5)', 3],
  ])('reads %s from the project, decoded at its final size', async (dataset, images) => {
    const config = configOf({ dataset, pad: 10 });
    await checkNames(config, { project });
    const { train } = await loadData(config, { project });
    expect([train.size, ...train.imageShape]).toEqual([images, 10, 10, 3]);
    expect(train.classes).toEqual(['cat', 'dog']);
  });

  it('rejects a data folder, and names the key of a wrong number of images', async () => {
    await expect(loadData(configOf({ dataset: './photos', dataFolder: 'x' }), { project })).rejects.toThrow(
      "dataFolder: has no effect on './photos', which is the folder itself; omit it.",
    );
    await expect(loadData(configOf({ dataset: './photos', trainImages: 7 }), { project })).rejects.toThrow(
      'trainImages: 7; allowed: 1 to 6, the number of images in the data set.',
    );
  });

  it('treats a path that is not a folder as a file of the project', async () => {
    await expect(loadData(configOf({ dataset: './absent' }), { project })).rejects.toThrow(
      "There is no file './absent'",
    );
  });
});
