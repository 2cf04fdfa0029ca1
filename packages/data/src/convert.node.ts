import { LocalgradError } from '@localgrad/core';
import type { DatasetSplits, ImageDataset } from './dataset.js';
import { encodePng } from './png.js';

export interface ConvertReport {
  readonly output: string;
  readonly train: number;
  readonly test: number;
}

/**
 * Writes a data set as PNG files, `train/<class>/00001.png` and `test/…`: lossless, readable by every tool and as an image folder.
 * The folder gets its final name when it is complete.
 *
 * @throws LocalgradError `invalid-option` if the folder exists or cannot be created
 */
export async function convertToFolder({ train, test }: DatasetSplits, output: string): Promise<ConvertReport> {
  const { access, rename, rm } = await import('node:fs/promises');
  const { createFolders, folderError } = await import('@localgrad/core/folders');
  const isThere = await access(output).then(
    () => true,
    () => false,
  );
  if (isThere) {
    throw new LocalgradError('invalid-option', `'${output}' already exists. Choose another --output.`, { output });
  }
  const partial = `${output}.part-${process.pid}`;
  try {
    await createFolders(partial).catch((error: unknown) => {
      throw folderError(output, error);
    });
    await writeImages(train, `${partial}/train`);
    await writeImages(test, `${partial}/test`);
    await rename(partial, output);
  } finally {
    await rm(partial, { recursive: true, force: true });
  }
  return { output, train: train.size, test: test.size };
}

async function writeImages(dataset: ImageDataset, folder: string): Promise<void> {
  const { writeFile } = await import('node:fs/promises');
  const { createFolders } = await import('@localgrad/core/folders');
  const [height, width, channels] = dataset.imageShape;
  const length = height * width * channels;
  // The number keeps the order of the classes for any names.
  const digits = `${dataset.classes.length - 1}`.length;
  const folders = dataset.classes.map((name, label) => {
    const safe = name.replace(/[^\p{Letter}\p{Number} _-]/gu, '-');
    return `${folder}/${`${label}`.padStart(digits, '0')}-${safe}`;
  });
  for (const path of folders) await createFolders(path);
  for (let index = 0; index < dataset.size; index++) {
    const bytes = dataset.images.subarray(index * length, (index + 1) * length);
    const file = await encodePng({ height, width, channels: channels === 1 ? 1 : 3, bytes });
    const path = folders[dataset.labels[index] ?? 0] ?? folder;
    await writeFile(`${path}/${`${index}`.padStart(7, '0')}.png`, file);
  }
}
