import { LocalgradError, rejectUnknownKeys, requireOption } from '@localgrad/core';
import type { DatasetSplits, ImageDataset } from '../dataset.js';
import { type DataFile, damaged } from '../files.js';
import { type Distribution, findDistribution, visitMembers } from '../formats/members.js';
import { textLines } from './cifar-records.js';
import { transposePlanes } from './images.js';

const shape = [96, 96, 3] as const;
const imageBytes = 96 * 96 * 3;
const foldCount = 10;
const howToGetIt =
  'Download stl10_binary.tar.gz from https://cs.stanford.edu/~acoates/stl10 (Stanford), or run: localgrad data fetch stl10.';

export interface Stl10Options {
  /** Folder with `stl10_binary.tar.gz`, or with its unpacked files. */
  readonly folder: string;
  /** Train on one of the ten published folds of 1,000 images (0 to 9). Default: all 5,000. */
  readonly fold?: number;
}

const counts = { train: 5_000, test: 8_000, fold: 1_000 };

const distribution: Distribution = {
  archives: ['stl10_binary.tar.gz', 'stl10_binary.tar'],
  inner: 'stl10_binary',
  members: {
    'train_X.bin': 2 ** 28,
    'train_y.bin': 2 ** 16,
    'test_X.bin': 2 ** 28,
    'test_y.bin': 2 ** 16,
    'class_names.txt': 2 ** 16,
    'fold_indices.txt': 2 ** 20,
  },
};

/**
 * Reads STL-10, 5,000 and 8,000 labeled color images of 96×96, from its archive, without unpacking it, or from the unpacked
 * files. Skips the unlabeled images.
 *
 * @throws LocalgradError `invalid-option`, `missing-dependency`, `invalid-data`
 */
export async function stl10(options: Stl10Options): Promise<DatasetSplits> {
  rejectUnknownKeys('stl10', options, ['folder', 'fold']);
  return readStl10(options, counts);
}

export async function readStl10({ folder, fold }: Stl10Options, sizes: typeof counts): Promise<DatasetSplits> {
  requireOption(
    fold === undefined || (Number.isInteger(fold) && fold >= 0 && fold < foldCount),
    'stl10',
    'fold',
    fold,
    `integers from 0 to ${foldCount - 1}`,
  );
  const found = await findDistribution(folder, [distribution]);
  if (found === undefined) {
    const message = `'${folder}' contains neither stl10_binary.tar.gz nor its unpacked files.`;
    throw new LocalgradError('missing-dependency', `${message} ${howToGetIt}`, { folder });
  }
  const read = { train: empty(sizes.train), test: empty(sizes.test) };
  let classes: readonly string[] = [];
  let chosen: readonly number[] | undefined;
  await visitMembers(found, howToGetIt, (member, file) => {
    if (member === 'class_names.txt') classes = textLines(file);
    else if (member === 'fold_indices.txt') {
      const folds = readFolds(file, sizes);
      chosen = fold === undefined ? undefined : folds[fold];
    } else {
      const part = read[member.startsWith('train') ? 'train' : 'test'];
      if (member.endsWith('_y.bin')) readLabels(file, part);
      else readImages(file, part);
    }
  });
  if (classes.length !== 10) {
    throw damaged(
      { path: `${found.path}: class_names.txt`, howToGetIt },
      0,
      '10 names of classes',
      `${classes.length}`,
    );
  }
  const dataset = (part: Part): ImageDataset => ({ name: 'stl10', classes, imageShape: shape, ...part });
  return {
    config: { dataset: 'stl10', ...(fold === undefined ? {} : { fold }) },
    train: dataset(chosen === undefined ? read.train : pick(read.train, chosen)),
    test: dataset(read.test),
  };
}

interface Part {
  readonly size: number;
  readonly images: Uint8Array;
  readonly labels: Uint8Array;
}

function empty(size: number): Part {
  return { size, images: new Uint8Array(size * imageBytes), labels: new Uint8Array(size) };
}

function expectLength(file: DataFile, length: number, what: string): void {
  if (file.bytes.length === length) return;
  throw damaged(file, Math.min(file.bytes.length, length), `${length} bytes: ${what}`, `${file.bytes.length}`);
}

function readImages(file: DataFile, { size, images }: Part): void {
  expectLength(file, size * imageBytes, `${size} images of 3×96×96`);
  for (let at = 0; at < images.length; at += imageBytes) transposePlanes(file.bytes, at, images, at, shape);
}

function readLabels(file: DataFile, { size, labels }: Part): void {
  expectLength(file, size, `${size} labels`);
  file.bytes.forEach((label, index) => {
    if (label < 1 || label > 10) throw damaged(file, index, 'a label from 1 to 10', `${label}`);
    labels[index] = label - 1;
  });
}

/** Ten lines of indices of training images. */
function readFolds(file: DataFile, sizes: typeof counts): number[][] {
  const lines = textLines(file);
  if (lines.length !== foldCount) throw damaged(file, 0, `${foldCount} folds, one per line`, `${lines.length}`);
  return lines.map((line, fold) => {
    const indices = line.split(/\s+/).map(Number);
    const wrong = indices.find((index) => !Number.isInteger(index) || index < 0 || index >= sizes.train);
    if (wrong !== undefined || indices.length !== sizes.fold) {
      const found = wrong === undefined ? `${indices.length}` : `${wrong}`;
      throw damaged(file, 0, `${sizes.fold} indices below ${sizes.train} in fold ${fold}`, found);
    }
    return indices;
  });
}

function pick({ images, labels }: Part, indices: readonly number[]): Part {
  const picked = empty(indices.length);
  indices.forEach((index, position) => {
    picked.images.set(images.subarray(index * imageBytes, (index + 1) * imageBytes), position * imageBytes);
    picked.labels[position] = labels[index] ?? 0;
  });
  return picked;
}
