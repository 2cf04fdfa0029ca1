import { rejectUnknownKeys } from '@localgrad/core';
import { howToGetCifar10, locateCifar10 } from './cifar10-folder.js';
import type { DatasetSplits, ImageDataset } from './dataset.js';
import type { FolderOptions } from './fashion-mnist.js';
import { type DataFile, damaged, readDataFile } from './files.js';

const CLASSES = ['airplane', 'automobile', 'bird', 'cat', 'deer', 'dog', 'frog', 'horse', 'ship', 'truck'] as const;
const SIDE = 32;
const PLANE = SIDE * SIDE;
const RECORD = 1 + 3 * PLANE;

/**
 * Loads CIFAR-10 (50,000 training and 10,000 test images, 32×32 color) from its binary files in a folder or in its
 * subfolder `cifar-10-batches-bin`.
 *
 * @throws LocalgradError `missing-dependency`, `invalid-data`
 */
export async function cifar10(options: FolderOptions): Promise<DatasetSplits> {
  rejectUnknownKeys('cifar10', options, ['folder']);
  return readCifar10(options.folder, 10_000);
}

/** Reads the files. They have no header, so only the number of records reveals a file truncated between two records. */
export async function readCifar10(given: string, recordsPerFile: number): Promise<DatasetSplits> {
  const folder = await locateCifar10(given);
  const read = async (names: readonly string[]): Promise<ImageDataset> => {
    const size = names.length * recordsPerFile;
    const images = new Uint8Array(size * 3 * PLANE);
    const labels = new Uint8Array(size);
    let sample = 0;
    // Reads one file at a time, because all of them together with the images would double the memory.
    for (const name of names) {
      const file = await readDataFile(folder, name, `${howToGetCifar10}.`);
      checkRecords(file, recordsPerFile);
      for (let start = 0; start < file.bytes.length; start += RECORD, sample++) {
        labels[sample] = file.bytes[start] as number;
        interleave(file.bytes, start + 1, images, sample * 3 * PLANE);
      }
    }
    return { name: 'cifar10', classes: CLASSES, imageShape: [SIDE, SIDE, 3], size, images, labels };
  };
  const train = await read([1, 2, 3, 4, 5].map((batch) => `data_batch_${batch}.bin`));
  const test = await read(['test_batch.bin']);
  return { config: { dataset: 'cifar10' }, train, test };
}

function checkRecords(file: DataFile, records: number): void {
  const { bytes } = file;
  const length = records * RECORD;
  if (bytes.length !== length && bytes[0] === 0x80 && (bytes[1] ?? 0) <= 5) {
    throw damaged(file, 0, 'a record of the binary version', "a Python pickle, a file of CIFAR-10's Python version");
  }
  if (bytes.length === records * (RECORD + 1)) {
    throw damaged(file, 0, `records of ${RECORD} bytes`, `records of ${RECORD + 1} bytes, as in CIFAR-100`);
  }
  if (bytes.length < length) {
    throw damaged(
      file,
      bytes.length,
      `${length} bytes: ${records} records of ${RECORD} (label and 3×32×32 values)`,
      `${bytes.length}: the file is truncated`,
    );
  }
  if (bytes.length > length) throw damaged(file, length, 'the end of the file', `${bytes.length - length} more bytes`);
  for (let start = 0; start < length; start += RECORD) {
    const label = bytes[start] as number;
    if (label >= CLASSES.length) throw damaged(file, start, `a label below ${CLASSES.length}`, `${label}`);
  }
}

/** Converts red, green and blue planes to interleaved pixels. */
function interleave(bytes: Uint8Array, from: number, images: Uint8Array, to: number): void {
  for (let channel = 0; channel < 3; channel++) {
    const plane = from + channel * PLANE;
    for (let pixel = 0; pixel < PLANE; pixel++) images[to + 3 * pixel + channel] = bytes[plane + pixel] as number;
  }
}
