import type { Shape3 } from '@localgrad/core';
import type { ImageDataset } from './dataset.js';
import { type DataFile, damaged, readDataFile } from './files.js';

const IMAGES_MAGIC = 0x0803;
const LABELS_MAGIC = 0x0801;

const kinds: ReadonlyMap<number, string> = new Map([
  [IMAGES_MAGIC, ' (images)'],
  [LABELS_MAGIC, ' (labels)'],
]);
/** First two bytes of formats that are mistaken for IDX files. */
const knownStarts: ReadonlyMap<number, string> = new Map([
  [0x1f8b, " (a gzip file: add '.gz' to its name, or decompress it with gunzip)"],
  [0x504b, ' (a zip archive: unpack it)'],
]);

export interface IdxOptions {
  readonly folder: string;
  /** Name of the file of images, without `.gz`. */
  readonly images: string;
  /** Name of the file of labels, without `.gz`. */
  readonly labels: string;
  /** Name of the data set. */
  readonly name: string;
  readonly classes: readonly string[];
  /** A sentence for error messages. */
  readonly howToGetIt: string;
  /** Required image shape, for a test set that must match its training set. */
  readonly imageShape?: Shape3;
}

/**
 * Reads a pair of IDX files (the format of MNIST), plain or gzipped.
 *
 * @throws LocalgradError `missing-dependency`, `invalid-data`
 */
export async function readIdx(options: IdxOptions): Promise<ImageDataset> {
  const { folder, name, classes, howToGetIt, imageShape } = options;
  const images = await readDataFile(folder, options.images, howToGetIt);
  const labels = await readDataFile(folder, options.labels, howToGetIt);
  const imageHeader = header(images, IMAGES_MAGIC, ['images', 'rows', 'columns']);
  const [size = 0, height = 0, width = 0] = imageHeader;
  const [labelCount = 0] = header(labels, LABELS_MAGIC, ['labels']);
  if (imageShape !== undefined && (height !== imageShape[0] || width !== imageShape[1])) {
    throw damaged(images, 8, `images of ${imageShape[0]}×${imageShape[1]}, as for training`, `${height}×${width}`);
  }
  expectLength(images, 16, size * height * width);
  expectLength(labels, 8, labelCount);
  if (labelCount !== size)
    throw damaged(labels, 4, `${size} labels, one for each image in ${images.path}`, `${labelCount}`);
  const values = labels.bytes.subarray(8);
  const wrong = values.findIndex((label) => label >= classes.length);
  if (wrong >= 0) throw damaged(labels, 8 + wrong, `a label below ${classes.length}`, `${values[wrong]}`);
  return { name, classes, imageShape: [height, width, 1], size, images: images.bytes.subarray(16), labels: values };
}

/** Reads the counts after the magic number (big-endian), which must be positive. */
function header(file: DataFile, magic: number, counted: readonly string[]): number[] {
  const { bytes } = file;
  const length = 4 + 4 * counted.length;
  if (bytes.length < length) throw damaged(file, bytes.length, `a header of ${length} bytes`, `the end of the file`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, length);
  const found = view.getUint32(0);
  if (found !== magic) {
    const what = knownStarts.get(found >>> 16) ?? kinds.get(found) ?? '';
    throw damaged(file, 0, `magic number 0x${magic.toString(16)}`, `0x${found.toString(16)}${what}`);
  }
  return counted.map((what, index) => {
    const offset = 4 + 4 * index;
    const count = view.getUint32(offset);
    if (count === 0) throw damaged(file, offset, `a positive number of ${what}`, '0');
    return count;
  });
}

function expectLength(file: DataFile, start: number, length: number): void {
  const found = file.bytes.length - start;
  if (found < length)
    throw damaged(
      file,
      file.bytes.length,
      `${length} bytes of data after the header`,
      `${found}: the file is truncated`,
    );
  if (found > length) throw damaged(file, start + length, 'the end of the file', `${found - length} more bytes`);
}
