import { rejectUnknownKeys } from '@localgrad/core';
import type { DatasetSplits, ImageDataset } from './dataset.js';
import type { FolderOptions } from './fashion-mnist.js';
import { damaged, readDataFile } from './files.js';

const CLASSES = ['airplane', 'automobile', 'bird', 'cat', 'deer', 'dog', 'frog', 'horse', 'ship', 'truck'] as const;
const SIDE = 32;
const PLANE = SIDE * SIDE;
const RECORD = 1 + 3 * PLANE;
const HOW_TO_GET_IT =
  'CIFAR-10 is distributed by the University of Toronto; take the "binary version" (cifar-10-binary.tar.gz) and unpack it into this folder.';

/** CIFAR-10, 50,000 and 10,000 colour images of 32×32, from its binary files in a folder. */
export async function cifar10(options: FolderOptions): Promise<DatasetSplits> {
  rejectUnknownKeys('cifar10', options, ['folder']);
  const read = async (names: readonly string[]): Promise<ImageDataset> => {
    const parts = await Promise.all(names.map((name) => readDataFile(options.folder, name, HOW_TO_GET_IT)));
    const size = parts.reduce((sum, part) => sum + checkedRecords(part), 0);
    const images = new Uint8Array(size * 3 * PLANE);
    const labels = new Uint8Array(size);
    let sample = 0;
    for (const { bytes } of parts) {
      for (let start = 0; start < bytes.length; start += RECORD, sample++) {
        labels[sample] = bytes[start] as number;
        interleave(bytes.subarray(start + 1, start + RECORD), images, sample * 3 * PLANE);
      }
    }
    return { name: 'cifar10', classes: CLASSES, imageShape: [SIDE, SIDE, 3], size, images, labels };
  };
  const train = await read([1, 2, 3, 4, 5].map((batch) => `data_batch_${batch}.bin`));
  const test = await read(['test_batch.bin']);
  return { config: { dataset: 'cifar10' }, train, test };
}

/** Checks length and labels; returns the number of records. */
function checkedRecords({ path, bytes }: { path: string; bytes: Uint8Array }): number {
  const rest = bytes.length % RECORD;
  if (bytes.length === 0 || rest !== 0) {
    throw damaged(
      path,
      bytes.length - rest,
      `a record of ${RECORD} bytes (label and 3×32×32 values)`,
      `${rest} bytes: the file is truncated`,
    );
  }
  for (let start = 0; start < bytes.length; start += RECORD) {
    const label = bytes[start] as number;
    if (label >= CLASSES.length) throw damaged(path, start, `a label below ${CLASSES.length}`, `${label}`);
  }
  return bytes.length / RECORD;
}

/** Red, green and blue planes → one pixel after the other. */
function interleave(planes: Uint8Array, images: Uint8Array, start: number): void {
  for (let pixel = 0; pixel < PLANE; pixel++) {
    for (let channel = 0; channel < 3; channel++) {
      images[start + 3 * pixel + channel] = planes[channel * PLANE + pixel] as number;
    }
  }
}
