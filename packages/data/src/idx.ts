import type { ImageDataset } from './dataset.js';
import { damaged, readDataFile } from './files.js';

const IMAGES_MAGIC = 0x0803;
const LABELS_MAGIC = 0x0801;

/** Reads a pair of IDX files (the format of MNIST), gzipped or not. */
export async function readIdx(
  folder: string,
  files: { readonly images: string; readonly labels: string },
  name: string,
  classes: readonly string[],
  howToGetIt: string,
): Promise<ImageDataset> {
  const images = await readDataFile(folder, files.images, howToGetIt);
  const labels = await readDataFile(folder, files.labels, howToGetIt);
  const imageHeader = header(images, IMAGES_MAGIC, 4);
  const labelHeader = header(labels, LABELS_MAGIC, 2);
  const [size = 0, height = 0, width = 0] = imageHeader;
  const [labelCount = 0] = labelHeader;
  expectLength(images, 16, size * height * width);
  expectLength(labels, 8, labelCount);
  if (labelCount !== size)
    throw damaged(labels.path, 4, `${size} labels, as many as images in ${images.path}`, `${labelCount}`);
  const values = labels.bytes.subarray(8);
  const wrong = values.findIndex((label) => label >= classes.length);
  if (wrong >= 0) throw damaged(labels.path, 8 + wrong, `a label below ${classes.length}`, `${values[wrong]}`);
  return { name, classes, imageShape: [height, width, 1], size, images: images.bytes.subarray(16), labels: values };
}

interface DataFile {
  readonly path: string;
  readonly bytes: Uint8Array;
}

/** The numbers after the magic one. */
function header({ path, bytes }: DataFile, magic: number, words: number): number[] {
  if (bytes.length < 4 * words)
    throw damaged(path, bytes.length, `a header of ${4 * words} bytes`, 'the end of the file');
  const view = new DataView(bytes.buffer, bytes.byteOffset, 4 * words);
  const found = view.getUint32(0);
  if (found !== magic) throw damaged(path, 0, `magic number 0x${magic.toString(16)}`, `0x${found.toString(16)}`);
  return Array.from({ length: words - 1 }, (_, word) => view.getUint32(4 * (word + 1)));
}

function expectLength({ path, bytes }: DataFile, start: number, length: number): void {
  const found = bytes.length - start;
  if (found < length)
    throw damaged(path, bytes.length, `${length} bytes of data after the header`, `${found}: the file is truncated`);
  if (found > length) throw damaged(path, start + length, 'the end of the file', `${found - length} more bytes`);
}
