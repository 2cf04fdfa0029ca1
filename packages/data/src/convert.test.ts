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

function controllerThatStops(): AbortController {
  const controller = new AbortController();
  setTimeout(() => controller.abort(new Error('stopped')), 5);
  return controller;
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

  it('leaves nothing behind if it is interrupted', async () => {
    const folder = mkdtempSync(join(root, 'interrupted-'));
    const { signal } = controllerThatStops();
    const splits = { config: {}, train: dataset(4000, 1), test: dataset(3, 1) };
    await expect(convertToFolder(splits, join(folder, 'out'), { workers: 2, signal })).rejects.toThrow('stopped');
    expect(readdirSync(folder)).toEqual([]);
  });

  it('rejects images that no PNG file of ours can contain, before it creates a folder', async () => {
    const four = { ...dataset(2, 1), imageShape: [5, 1, 4] as const };
    const unlabeled = { ...dataset(2, 1), classes: [], labels: new Uint8Array(0) };
    const convert = (test: ImageDataset) =>
      convertToFolder({ config: {}, train: dataset(2, 1), test }, join(root, 'never'));
    await expect(convert(four)).rejects.toThrow(/'noise' cannot be converted: .*1 or 3 channels, found 4 channels/);
    await expect(convert(unlabeled)).rejects.toThrow(/found no labels/);
    const pixels = { height: 5, width: 1, channels: 4 as never, bytes: new Uint8Array(20) };
    await expect(encodePng(pixels)).rejects.toThrow(/5×1 pixels of 1 or 3 channels, found 20 bytes of 4 channels/);
    await expect(encodePng({ ...pixels, channels: 3 })).rejects.toThrow(/found 20 bytes of 3 channels/);
    expect(readdirSync(root)).not.toContain('never');
  });

  it('rejects unknown options and numbers of workers below 1', async () => {
    const splits = { config: {}, train: dataset(2, 1), test: dataset(2, 1) };
    const convert = (options: object) => convertToFolder(splits, join(root, 'never'), options);
    await expect(convert({ workers: 0 })).rejects.toThrow(/workers.*integers ≥ 1/);
    await expect(convert({ worker: 2 })).rejects.toThrow(/worker/);
  });
});
