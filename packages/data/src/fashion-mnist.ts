import { LocalgradError, rejectUnknownKeys, type Shape3 } from '@localgrad/core';
import type { DatasetSplits, ImageDataset } from './dataset.js';
import { readIdx } from './idx.js';

export const fashionClasses = [
  'T-shirt/top',
  'Trouser',
  'Pullover',
  'Dress',
  'Coat',
  'Sandal',
  'Shirt',
  'Sneaker',
  'Bag',
  'Ankle boot',
] as const;

const HOW_TO_GET_IT =
  "Fashion-MNIST's four IDX files are in Debian's package dataset-fashion-mnist (under /usr/share/datasets/fashion-mnist) and in the repository zalandoresearch/fashion-mnist.";

export interface FolderOptions {
  /** Folder with the files. */
  readonly folder: string;
}

/** Loads Fashion-MNIST (60,000 training and 10,000 test images, 28×28 gray) from its IDX files in a folder. */
export async function fashionMnist(options: FolderOptions): Promise<DatasetSplits> {
  rejectUnknownKeys('fashionMnist', options, ['folder']);
  const read = (prefix: string, imageShape?: Shape3) =>
    readIdx({
      folder: options.folder,
      images: `${prefix}-images-idx3-ubyte`,
      labels: `${prefix}-labels-idx1-ubyte`,
      name: 'fashion-mnist',
      classes: fashionClasses,
      howToGetIt: HOW_TO_GET_IT,
      ...(imageShape === undefined ? {} : { imageShape }),
    });
  const train = await read('train');
  const test = await read('t10k', train.imageShape);
  return { config: { dataset: 'fashion-mnist' }, train, test };
}

const SUBSET_SHA256 = '6a08ece108807550b4d9dfb3d2b2e899200db63042d58ea3a575fb18b88fb6be';
const PIXELS = 28 * 28;

/**
 * Loads the Fashion-MNIST subset included in this package: 5,000 training and 1,000 test images, balanced across
 * classes.
 */
export async function fashionMnistSubset(): Promise<DatasetSplits> {
  const [{ readFile }, { createHash }, { brotliDecompress }, { promisify }, { fileURLToPath }] = await Promise.all([
    import('node:fs/promises'),
    import('node:crypto'),
    import('node:zlib'),
    import('node:util'),
    import('node:url'),
  ]);
  const location = new URL('../assets/fashion-mnist-subset.bin.br', import.meta.url);
  const path = fileURLToPath(location);
  let content: Uint8Array;
  try {
    content = await promisify(brotliDecompress)(await readFile(location));
  } catch (error) {
    throw new LocalgradError(
      'invalid-data',
      `The embedded data set ${path} cannot be read: ${(error as Error).message}.`,
      {},
      { cause: error },
    );
  }
  const digest = createHash('sha256').update(content).digest('hex');
  if (digest !== SUBSET_SHA256) {
    throw new LocalgradError(
      'invalid-data',
      `The embedded data set ${path} is corrupt: expected sha256 ${SUBSET_SHA256}, found ${digest}. Reinstall the package.`,
    );
  }
  const view = new DataView(content.buffer, content.byteOffset);
  const counts = [view.getUint32(8, true), view.getUint32(12, true)] as const;
  let offset = 16;
  const next = (length: number): Uint8Array => {
    offset += length;
    return content.subarray(offset - length, offset);
  };
  const labels = counts.map(next);
  const images = counts.map((count) => reconstruct(next(count * PIXELS)));
  const split = (index: 0 | 1): ImageDataset => ({
    name: 'fashion-mnist-subset',
    classes: fashionClasses,
    imageShape: [28, 28, 1],
    size: counts[index],
    images: images[index] as Uint8Array,
    labels: labels[index] as Uint8Array,
  });
  return { config: { dataset: 'fashion-mnist-subset' }, train: split(0), test: split(1) };
}

/** Undoes the prediction from the mean of the left and upper neighbors (scripts/build-subset.mjs). */
function reconstruct(differences: Uint8Array): Uint8Array {
  const images = new Uint8Array(differences.length);
  for (let at = 0; at < images.length; at++) {
    const inside = at % PIXELS;
    const left = inside % 28 === 0 ? 0 : (images[at - 1] as number);
    const above = inside < 28 ? 0 : (images[at - 28] as number);
    images[at] = (differences[at] as number) + ((left + above) >> 1);
  }
  return images;
}
