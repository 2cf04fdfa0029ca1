import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { convertToFolder } from './convert.node.js';
import type { ImageDataset } from './dataset.js';
import { encodePng } from './png.js';

let root: string;
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'localgrad-convert-'));
});
afterAll(() => rmSync(root, { recursive: true }));

function dataset(size: number, channels: 1 | 3): ImageDataset {
  const images = Uint8Array.from({ length: size * 5 * 4 * channels }, (_, index) => (index * 2_654_435_761) >>> 24);
  const labels = Uint8Array.from({ length: size }, (_, index) => index % 2);
  return { name: 'noise', classes: ['a/b', 'c'], imageShape: [5, 4, channels], size, images, labels };
}

describe('convertToFolder', () => {
  it.each([1, 3] as const)(
    'writes the files of encodePng in order, with any number of workers; %d channels',
    async (channels) => {
      const splits = { config: {}, train: dataset(41, channels), test: dataset(3, channels) };
      for (const workers of [1, 7]) {
        const output = join(root, `${channels}-${workers}`);
        expect(await convertToFolder(splits, output, { workers })).toEqual({ output, train: 41, test: 3 });
        expect(readdirSync(join(output, 'train')).sort()).toEqual(['0-a-b', '1-c']);
        for (const index of [0, 1, 17, 40]) {
          const bytes = splits.train.images.subarray(index * 20 * channels, (index + 1) * 20 * channels);
          const path = join(output, 'train', index % 2 === 0 ? '0-a-b' : '1-c', `${index}`.padStart(7, '0'));
          const expected = await encodePng({ height: 5, width: 4, channels, bytes });
          expect(readFileSync(`${path}.png`).equals(expected)).toBe(true);
        }
        expect(readdirSync(join(output, 'train', '0-a-b'))).toHaveLength(21);
      }
    },
  );

  it('leaves nothing behind if an image fails', async () => {
    const output = join(root, 'failed');
    const { images, ...rest } = dataset(40, 1);
    let reads = 0;
    const train = {
      ...rest,
      get images() {
        if (++reads > 20) throw new Error('unreadable');
        return images;
      },
    };
    const converting = convertToFolder({ config: {}, train, test: dataset(2, 1) }, output, { workers: 4 });
    await expect(converting).rejects.toThrow('unreadable');
    expect(readdirSync(root)).not.toContainEqual(expect.stringContaining('failed'));
  });

  it('rejects unknown options and numbers of workers below 1', async () => {
    const splits = { config: {}, train: dataset(2, 1), test: dataset(2, 1) };
    const convert = (options: object) => convertToFolder(splits, join(root, 'never'), options);
    await expect(convert({ workers: 0 })).rejects.toThrow(/workers.*integers ≥ 1/);
    await expect(convert({ worker: 2 })).rejects.toThrow(/worker/);
  });
});
