import { LocalgradError, rejectUnknownKeys, requireOption } from '@localgrad/core';
import type { DatasetSplits, ImageDataset } from './dataset.js';
import { encodePngWith } from './png.js';

/** Options of `convertToFolder`. */
export interface ConvertOptions {
  /** Number of images compressed and written at the same time, by the threads of Node.js; does not affect the files. Default 16. */
  readonly workers?: number;
  /** Ends the conversion; nothing is left of it. */
  readonly signal?: AbortSignal;
}

export interface ConvertReport {
  readonly output: string;
  readonly train: number;
  readonly test: number;
}

/**
 * Writes a data set as PNG files, `train/<class>/00001.png` and `test/…`: lossless, readable by every tool and as an image folder.
 * The folder gets its final name when it is complete.
 *
 * @throws LocalgradError `invalid-option` if the folder exists or cannot be created, and for options; `invalid-data` for images
 *   without labels, or of other than 1 or 3 channels
 */
export async function convertToFolder(
  { train, test }: DatasetSplits,
  output: string,
  options: ConvertOptions = {},
): Promise<ConvertReport> {
  rejectUnknownKeys('convertToFolder', options, ['workers', 'signal']);
  const { workers = 16, signal } = options;
  requireOption(Number.isInteger(workers) && workers >= 1, 'convertToFolder', 'workers', workers, 'integers ≥ 1');
  for (const dataset of [train, test]) checkConvertible(dataset);
  const { access, rename, rm } = await import('node:fs/promises');
  const { createFolders, folderError, whileBusy } = await import('@localgrad/core/folders');
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
    await writeImages(train, `${partial}/train`, workers, signal);
    await writeImages(test, `${partial}/test`, workers, signal);
    await whileBusy(() => rename(partial, output));
  } finally {
    await rm(partial, { recursive: true, force: true });
  }
  return { output, train: train.size, test: test.size };
}

/** Folders of PNG files have one folder for each class. @throws LocalgradError `invalid-data` */
function checkConvertible({ name, imageShape, labels }: ImageDataset): void {
  const channels = imageShape[2];
  const found =
    labels.length === 0 ? 'no labels' : channels === 1 || channels === 3 ? undefined : `${channels} channels`;
  if (found === undefined) return;
  const message = `Data set '${name}' cannot be converted: expected labeled images of 1 or 3 channels, found ${found}.`;
  throw new LocalgradError('invalid-data', message, { name, channels });
}

async function writeImages(
  dataset: ImageDataset,
  folder: string,
  workers: number,
  signal: AbortSignal | undefined,
): Promise<void> {
  const { writeFile } = await import('node:fs/promises');
  const { promisify } = await import('node:util');
  const { createFolders } = await import('@localgrad/core/folders');
  // The bytes of CompressionStream, without the time that its streams take for each image.
  const deflate = promisify((await import('node:zlib')).deflate);
  const [height, width, channels] = dataset.imageShape;
  const length = height * width * channels;
  // The number keeps the order of the classes for any names.
  const digits = `${dataset.classes.length - 1}`.length;
  const folders = dataset.classes.map((name, label) => {
    const safe = name.replace(/[^\p{Letter}\p{Number} _-]/gu, '-');
    return `${folder}/${`${label}`.padStart(digits, '0')}-${safe}`;
  });
  for (const path of folders) await createFolders(path);
  await eachAtOnce(dataset.size, workers, async (index) => {
    signal?.throwIfAborted();
    const bytes = dataset.images.subarray(index * length, (index + 1) * length);
    const file = await encodePngWith({ height, width, channels: channels === 1 ? 1 : 3, bytes }, deflate);
    const path = folders[dataset.labels[index] ?? 0] ?? folder;
    await writeFile(`${path}/${`${index}`.padStart(7, '0')}.png`, file);
  });
}

/** Runs `work` on 0, 1, … up to `count`, `limit` of them at once; after an error no others start, and those running end first. */
async function eachAtOnce(count: number, limit: number, work: (index: number) => Promise<void>): Promise<void> {
  const errors: unknown[] = [];
  let next = 0;
  const lane = async () => {
    while (next < count && errors.length === 0) await work(next++).catch((error: unknown) => void errors.push(error));
  };
  await Promise.all(Array.from({ length: limit }, lane));
  if (errors.length > 0) throw errors[0];
}
