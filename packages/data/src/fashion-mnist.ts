import { LocalgradError, rejectUnknownKeys, type Shape3 } from '@localgrad/core';
import type { DatasetSplits, ImageDataset } from './dataset.js';
import { readIdx } from './idx.js';
import { readAsset } from './read-asset.node.js';

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
const SIDE = 28;
const PIXELS = SIDE * SIDE;

/**
 * Loads the Fashion-MNIST subset included in this package: 5,000 training and 1,000 test images, balanced across
 * classes.
 */
export async function fashionMnistSubset(): Promise<DatasetSplits> {
  const location = new URL('../assets/fashion-mnist-subset.bin.gz', import.meta.url);
  let content: Uint8Array<ArrayBuffer>;
  try {
    content = await decompressed(await readAsset(location));
  } catch (error) {
    throw new LocalgradError(
      'invalid-data',
      `The embedded data set ${location.href} cannot be read: ${(error as Error).message}.`,
      {},
      { cause: error },
    );
  }
  const digest = await sha256(content);
  if (digest !== undefined && digest !== SUBSET_SHA256) {
    throw new LocalgradError(
      'invalid-data',
      `The embedded data set ${location.href} is corrupt: expected sha256 ${SUBSET_SHA256}, found ${digest}. Reinstall the package.`,
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

/** Some web servers mark `.gz` files as compressed in transfer, and browsers have then decompressed them. */
async function decompressed(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return bytes;
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('gzip'));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/** Undefined in pages without a secure context, which have no `crypto.subtle`; gzip has a checksum of its own. */
async function sha256(content: Uint8Array<ArrayBuffer>): Promise<string | undefined> {
  if (globalThis.crypto.subtle === undefined) return undefined;
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', content));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** Undoes the prediction from the mean of the left and upper neighbors (scripts/build-subset.mjs). */
function reconstruct(differences: Uint8Array): Uint8Array {
  const images = new Uint8Array(differences.length);
  for (let start = 0; start < images.length; start += SIDE) {
    const hasAbove = start % PIXELS !== 0;
    let left = 0;
    for (let at = start; at < start + SIDE; at++) {
      const above = hasAbove ? (images[at - SIDE] as number) : 0;
      left = ((differences[at] as number) + ((left + above) >> 1)) & 0xff;
      images[at] = left;
    }
  }
  return images;
}
