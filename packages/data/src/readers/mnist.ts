import { rejectUnknownKeys, type Shape3 } from '@localgrad/core';
import type { DatasetSplits } from '../dataset.js';
import type { FolderOptions } from '../fashion-mnist.js';
import { readIdx } from '../idx.js';

const digits = Array.from({ length: 10 }, (_, digit) => `${digit}`);
const hiragana = ['o', 'ki', 'su', 'tsu', 'na', 'ha', 'ma', 'ya', 're', 'wo'];

/** MNIST, 60,000 and 10,000 gray images of 28×28 digits, from its four IDX files, gzipped or not. */
export async function mnist(options: FolderOptions): Promise<DatasetSplits> {
  rejectUnknownKeys('mnist', options, ['folder']);
  return readSplits('mnist', digits, options.folder, 'run: localgrad data fetch mnist');
}

/** Kuzushiji-MNIST, 60,000 and 10,000 gray images of 28×28 cursive hiragana, from its four IDX files, gzipped or not. */
export async function kmnist(options: FolderOptions): Promise<DatasetSplits> {
  rejectUnknownKeys('kmnist', options, ['folder']);
  return readSplits('kmnist', hiragana, options.folder, 'run: localgrad data fetch kmnist');
}

async function readSplits(
  name: string,
  classes: readonly string[],
  folder: string,
  command: string,
): Promise<DatasetSplits> {
  const read = (prefix: string, imageShape?: Shape3) =>
    readIdx({
      folder,
      images: `${prefix}-images-idx3-ubyte`,
      labels: `${prefix}-labels-idx1-ubyte`,
      name,
      classes,
      howToGetIt: `Put its four IDX files into this folder, or ${command}.`,
      ...(imageShape === undefined ? {} : { imageShape }),
    });
  const train = await read('train');
  const test = await read('t10k', train.imageShape);
  return { config: { dataset: name }, train, test };
}
