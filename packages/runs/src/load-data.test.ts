import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checkNames } from './config/check-names.js';
import { type RunConfigInput, runConfigSchema } from './config/run-config.js';
import { loadData } from './load-data.js';

const configOf = (input: RunConfigInput) => runConfigSchema.parse({ resize: 8, ...input });

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
