import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { LocalgradError } from '@localgrad/core';
import { createBatches, holdOut } from '@localgrad/data';
import * as tf from '@tensorflow/tfjs';
import sharp from 'sharp';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { dataset, openImages } from '../dataset.js';
import { transformMap } from './map-geometry.js';
import { readPngValues } from './png-values.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'localgrad-label-maps-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const [height, width] = [3, 5];
const grayPng = (values: readonly number[], size: readonly [number, number] = [height, width]) =>
  sharp(Buffer.from(values), { raw: { height: size[0], width: size[1], channels: 1 } })
    .toColourspace('b-w')
    .png()
    .toBuffer();
const colorPng = (values: readonly number[]) =>
  sharp(Buffer.from(values.flatMap((value) => [value, value, value])), { raw: { height, width, channels: 3 } })
    .png()
    .toBuffer();
const counting = (start: number) => Array.from({ length: height * width }, (_, index) => start + index);
const put = (content: string | Uint8Array, ...names: string[]) => {
  const path = join(folder, ...names);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
};
const map = [0, 1, 1, 0, 255, 0, 1, 1, 0, 255, 1, 1, 1, 0, 0];

async function writePairs(parts: Readonly<Record<string, number>>): Promise<void> {
  put('sky\nground\n', 'classes.txt');
  for (const [part, count] of Object.entries(parts)) {
    for (let index = 0; index < count; index++) {
      put(await colorPng(counting(10 * index)), 'images', part, 'city', `${index}.png`);
      put(await grayPng(map), 'masks', part, 'city', `${index}.png`);
    }
  }
}

describe('a folder of images and label maps', () => {
  it('becomes a data set with the target masks, whose padding has no class', async () => {
    await writePairs({ train: 2, val: 1 });
    const { train, test } = await dataset({ folder });
    expect([train.size, test.size, train.classes]).toEqual([2, 1, ['sky', 'ground']]);
    expect(train.imageShape).toEqual([height, width, 3]);
    expect([...(train.targets?.masks?.values ?? [])]).toEqual([...map, ...map]);
    const batches = createBatches(train, { batchSize: 2, augmentation: { pad: 2 }, seed: 3 });
    for (const batch of batches.epoch(0)) {
      const masks = batch.targets.masks as tf.Tensor3D;
      expect([masks.shape, masks.dtype]).toEqual([[2, height, width], 'int32']);
      // Images are padded with black, maps with 255: where one is padding, so is the other.
      const black = tf.tidy(() => {
        const bytes = tf.add(tf.mul(batch.images, batches.normalization.deviation), batches.normalization.mean);
        return tf.less(tf.max(bytes, 3), 1 / 512).dataSync();
      });
      const values = masks.dataSync();
      black.forEach((isBlack, pixel) => {
        if (isBlack) expect([0, 255]).toContain(values[pixel]);
      });
      expect(values.filter((value) => value === 255).length).toBeGreaterThan(4);
      batch.dispose();
    }
  });

  it('holds out images where there is no test folder, and for validation', async () => {
    await writePairs({ '': 10 });
    const splits = await dataset({ folder });
    expect([splits.train.size, splits.test.size]).toEqual([8, 2]);
    const { train, heldOut } = holdOut(splits.train, 0.25);
    expect([train.size, heldOut.size, heldOut.targets?.masks?.values.length]).toEqual([6, 2, 2 * height * width]);
  });

  it('resizes image and map alike', async () => {
    await writePairs({ train: 1, test: 1 });
    const { train } = await dataset({ folder, size: 6 });
    // 3×5 becomes 6×10, of which columns 2 to 7 are the central square.
    const row = (line: readonly number[]) => [2, 3, 4, 5, 6, 7].map((column) => line[column >> 1]);
    const rows = [0, 1, 2].map((index) => row(map.slice(index * width, (index + 1) * width)));
    expect([...(train.targets?.masks?.values ?? [])]).toEqual(rows.flatMap((line) => [...line, ...line]));
  });

  it('reads Cityscapes, by train IDs or by IDs', async () => {
    const ids = counting(0).map((index) => [7, 33, 26, 0, 9][index % 5] ?? 0);
    const trainIds = counting(0).map((index) => [0, 18, 13, 255, 255][index % 5] ?? 0);
    for (const [part, end, values] of [
      ['train', 'labelIds', ids],
      ['val', 'labelTrainIds', trainIds],
    ] as const) {
      put(await colorPng(counting(0)), 'leftImg8bit', part, 'ulm', 'ulm_000_leftImg8bit.png');
      put(await grayPng(values), 'gtFine', part, 'ulm', `ulm_000_gtFine_${end}.png`);
      put(await grayPng(counting(0)), 'gtFine', part, 'ulm', 'ulm_000_gtFine_instanceIds.png');
    }
    const { train, test } = await dataset({ folder });
    expect(train.classes).toHaveLength(19);
    expect([...(train.targets?.masks?.values ?? [])]).toEqual(trainIds);
    expect([...(test.targets?.masks?.values ?? [])]).toEqual(trainIds);
  });

  it('reports what does not fit, with the file', async () => {
    const problem = async () => {
      const error = await dataset({ folder }).catch((caught: unknown) => caught);
      if (!LocalgradError.isInstance(error)) throw error;
      return error.message;
    };
    await writePairs({ train: 1, test: 1 });
    put(await grayPng([...map.slice(1), 2]), 'masks', 'train', 'city', '0.png');
    expect(await problem()).toMatch(/masks.train.city.0\.png: a pixel has the value 2; allowed: 0 to 1.*255, no class/);
    put(await grayPng(map.slice(0, 6), [2, 3]), 'masks', 'train', 'city', '0.png');
    expect(await problem()).toMatch(/0\.png: expected 3×5 pixels, as .*images.train.city.0\.png has; found 2×3/);
    put(await colorPng(map), 'masks', 'train', 'city', '0.png');
    expect(await problem()).toMatch(/0\.png: expected a PNG label map.*found colors or transparency/);
    rmSync(join(folder, 'masks', 'train', 'city', '0.png'));
    expect(await problem()).toMatch(/images.train.city.0\.png has no label map\. Expected .*masks.train.city.0\.png/);
    await writePairs({ train: 3, test: 1 });
    for (const name of ['0.png', '1.png']) rmSync(join(folder, 'masks', 'train', 'city', name));
    expect(await problem()).toMatch(/0\.png has no label map\..* 1 more image has none either\.$/);
    for (const [text, message] of [
      ['sky', /has 1 classes/],
      ['sky\n\nground', /has no name in line 2/],
      ['sky\nsky', /names 'sky' twice/],
    ] as const) {
      put(text, 'classes.txt');
      expect(await problem()).toMatch(message);
    }
    rmSync(join(folder, 'classes.txt'));
    await expect(openImages({ folder })).rejects.toThrow(/classes\.txt cannot be read.*one per line/);
  });
});

describe('readPngValues', () => {
  it.each([1, 2, 4, 8] as const)('reads the indices of a palette of %i bits', async (bits) => {
    const values = counting(0).map((index) => (index * 7) % Math.min(2 ** bits, 12));
    const colors = values.flatMap((value) => [20 * value, 255 - 20 * value, (value * 67) % 256]);
    const content = await sharp(Buffer.from(colors), { raw: { height, width, channels: 3 } })
      .png({ palette: true, colours: 2 ** bits, dither: 0 })
      .toBuffer();
    const found = [...readPngValues(content, 'a.png').values];
    // The encoder numbers the colors as it likes: equal values have equal indices, others have others.
    const pairs = new Set(values.map((value, index) => `${value}/${found[index]}`));
    expect(pairs.size).toBe(new Set(values).size);
    expect(new Set(found).size).toBe(new Set(values).size);
  });

  it('undoes every filter of rows', async () => {
    const values = Array.from({ length: 64 * 48 }, (_, index) => (index * index + 3 * (index % 64)) % 251);
    for (const adaptiveFiltering of [true, false]) {
      const raw = { height: 48, width: 64, channels: 1 } as const;
      const png = sharp(Buffer.from(values), { raw }).toColourspace('b-w').png({ adaptiveFiltering });
      expect([...readPngValues(await png.toBuffer(), 'a.png').values]).toEqual(values);
    }
  });

  it('rejects damaged files', async () => {
    const content = await grayPng(map);
    for (const damaged of [content.subarray(0, 20), content.subarray(0, content.length - 30), Buffer.from('GIF89a')]) {
      expect(() => readPngValues(damaged, 'a.png')).toThrow(/^a\.png: expected a PNG label map/);
    }
    const interlaced = await sharp(Buffer.from(map), { raw: { height, width, channels: 1 } })
      .png({ progressive: true })
      .toBuffer();
    expect(() => readPngValues(interlaced, 'a.png')).toThrow(/found (?:an interlaced image|colors)/);
  });
});

it('transformMap crops, resizes and flips as the image', () => {
  const values = Uint8Array.from(counting(0));
  const region = { top: 1, left: 1, height: 2, width: 4 };
  const result = transformMap({ height, width, values }, { region, resize: [4, 2], flip: true });
  expect([...result.values]).toEqual([9, 7, 9, 7, 14, 12, 14, 12]);
});

it.each([
  [2, 7, [0, 0, 0, 0, 1, 1, 1]],
  [10, 15, [0, 1, 1, 2, 2, 3, 4, 5, 5, 6, 7, 7, 8, 9, 9]],
])('transformMap resizes %i pixels to %i as PIL, also where two are equally near', (length, size, wanted) => {
  const values = Uint8Array.from({ length }, (_, index) => index);
  expect([...transformMap({ height: 1, width: length, values }, { resize: [1, size] }).values]).toEqual(wanted);
  expect([...transformMap({ height: length, width: 1, values }, { resize: [size, 1] }).values]).toEqual(wanted);
});
