import { rejectUnknownKeys } from '@localgrad/core';
import type { DatasetSplits, ImageDataset } from '../dataset.js';
import { damaged } from '../files.js';
import { type MatlabMatrix, matlabMatrices } from '../formats/mat5.js';
import { withFile } from '../formats/open-stream.js';
import { transposePlanes } from './images.js';

const shape = [32, 32, 3] as const;
const imageBytes = 32 * 32 * 3;
const howToGetIt =
  'Download the cropped digits (Format 2), train_32x32.mat and test_32x32.mat, from http://ufldl.stanford.edu/housenumbers, or run: localgrad data fetch svhn.';

export interface SvhnOptions {
  /** Folder with `train_32x32.mat`, `test_32x32.mat` and, with `extra`, `extra_32x32.mat`. */
  readonly folder: string;
  /** Appends the 531,131 easier images of `extra` to the training set. Default false. */
  readonly extra?: boolean;
}

/** Published number of images per file. */
const published = { train: 73_257, test: 26_032, extra: 531_131 };

/**
 * Reads SVHN, 73,257 and 26,032 color images of 32×32 house numbers, from its MATLAB files. Class `0` is the digit 0, which the
 * files label as 10. Images are transposed while they are read, without a second copy in memory.
 *
 * @throws LocalgradError `missing-dependency`, `invalid-data`
 */
export async function svhn(options: SvhnOptions): Promise<DatasetSplits> {
  rejectUnknownKeys('svhn', options, ['folder', 'extra']);
  return readSvhn(options, published);
}

export async function readSvhn(
  { folder, extra = false }: SvhnOptions,
  counts: Readonly<Record<keyof typeof published, number>>,
): Promise<DatasetSplits> {
  const parts: readonly (keyof typeof published)[] = extra ? ['train', 'extra'] : ['train'];
  return {
    config: { dataset: 'svhn', ...(extra ? { extra } : {}) },
    train: await readParts(folder, parts, counts),
    test: await readParts(folder, ['test'], counts),
  };
}

async function readParts(
  folder: string,
  parts: readonly (keyof typeof published)[],
  counts: Readonly<Record<keyof typeof published, number>>,
): Promise<ImageDataset> {
  const { join } = await import('node:path');
  const size = parts.reduce((sum, part) => sum + counts[part], 0);
  const images = new Uint8Array(size * imageBytes);
  const labels = new Uint8Array(size);
  let first = 0;
  for (const part of parts) {
    const count = counts[part];
    const end = first + count;
    await readFile(join(folder, `${part}_32x32.mat`), {
      images: images.subarray(first * imageBytes, end * imageBytes),
      labels: labels.subarray(first, end),
      count,
    });
    first = end;
  }
  const classes = Array.from({ length: 10 }, (_, digit) => `${digit}`);
  return { name: 'svhn', classes, imageShape: shape, size, images, labels };
}

interface Target {
  readonly images: Uint8Array;
  readonly labels: Uint8Array;
  readonly count: number;
}

async function readFile(path: string, target: Target): Promise<void> {
  const origin = { path, howToGetIt };
  await withFile(origin, async (reader) => {
    const missing = new Set(['X', 'y']);
    for await (const matrix of matlabMatrices(reader, ['X', 'y'])) {
      if (!missing.has(matrix.name)) continue;
      if (matrix.name === 'X') await readImages(matrix, target);
      else await readLabels(matrix, target);
      missing.delete(matrix.name);
    }
    const [first] = missing;
    if (first !== undefined) throw damaged(origin, reader.offset, `a variable '${first}'`, 'the end of the file');
  });
}

async function readImages(matrix: MatlabMatrix, { images, count }: Target): Promise<void> {
  const expected = `32×32×3×${count} bytes of 'X'`;
  const dimensions = matrix.dimensions.join('×');
  if (matrix.valueBytes !== 1 || (count > 1 && dimensions !== `32×32×3×${count}`) || matrix.length !== images.length) {
    throw matrix.damage(expected, `${dimensions} values of ${matrix.valueBytes} bytes`);
  }
  const image = new Uint8Array(imageBytes);
  for (let index = 0; index < count; index++) {
    await matrix.readInto(image);
    transposePlanes(image, 0, images, index * imageBytes, shape);
  }
}

async function readLabels(matrix: MatlabMatrix, { labels, count }: Target): Promise<void> {
  if (matrix.length !== count) throw matrix.damage(`${count} labels in 'y'`, `${matrix.dimensions.join('×')}`);
  const values = new Float64Array(count);
  await matrix.readInto(values);
  values.forEach((value, index) => {
    if (!Number.isInteger(value) || value < 1 || value > 10) {
      throw matrix.damage("labels from 1 to 10 in 'y'", `${value} for image ${index}`);
    }
    labels[index] = value % 10;
  });
}
