import { LocalgradError, rejectUnknownKeys, type Shape3 } from '@localgrad/core';
import {
  type ImageDataset,
  measureNormalization,
  type Normalization,
  type SplitOptions,
  stratifiedSplit,
} from '@localgrad/data';
import { openImages, requireTestImages } from './dataset.js';
import { type Channels, createDecoder } from './decode.js';
import { type EncodedImages, pickEncoded, takeEncoded } from './encoded-images.js';
import { centralGeometry } from './geometry.js';
import { inOrder } from './ordered-pool.js';

/** Images that are decoded while they are used: `ImageDataset` for sets larger than memory. Batches: `createImageBatches`. */
export interface StreamedImages extends Pick<ImageDataset, 'name' | 'classes' | 'imageShape' | 'size'> {
  readonly labels: Int32Array;
  /** The compressed images, in the same order. */
  readonly encoded: EncodedImages;
  /** Length of the shorter side before the central crop. */
  readonly shorter: number;
}

export interface StreamedSplits {
  readonly train: StreamedImages;
  readonly test: StreamedImages;
}

export interface StreamOptions {
  /** As in `dataset`. */
  readonly folder: string;
  readonly holdOut?: number;
  readonly seed?: number;
  readonly labels?: string;
  readonly channels?: Channels;
  /** Height and width of the decoded images. */
  readonly size: number;
  /** Length of the shorter side before the central crop. Default: `size`. */
  readonly shorter?: number;
  /** Number of training images to use, balanced across classes. Default: all. */
  readonly train?: number;
  /** Number of test images to use. */
  readonly test?: number;
}

/** Finds the images of a folder, to decode them during training. @throws LocalgradError */
export async function streamImages(options: StreamOptions): Promise<StreamedSplits> {
  const { size, shorter = size, channels = 3, train, test, ...open } = options;
  rejectUnknownKeys('image data', open, ['folder', 'holdOut', 'seed', 'labels']);
  const images = await openImages(open);
  requireTestImages(open.folder, images);
  const imageShape: Shape3 = [size, size, channels];
  const streamed = (all: EncodedImages, part: 'train' | 'test'): StreamedImages => {
    const encoded = takeEncoded(all, part, options[part]);
    const { name, classes, size: count, labels } = encoded;
    return { name, classes, imageShape, size: count, labels, encoded, shorter };
  };
  return { train: streamed(images.train, 'train'), test: streamed(images.test, 'test') };
}

/** Splits a set, stratified by class, into the rest and the held-out fraction, as `holdOut` does in memory. @throws LocalgradError */
export function holdOutStreamed(
  images: StreamedImages,
  fraction: number,
  options: SplitOptions = {},
): { readonly train: StreamedImages; readonly heldOut: StreamedImages } {
  rejectUnknownKeys('holdOutStreamed', options, ['seed']);
  const { kept, heldOut } = stratifiedSplit(images.labels, images.classes.length, fraction, options.seed);
  const part = (indices: readonly number[]): StreamedImages => {
    const encoded = pickEncoded(images.encoded, indices);
    return { ...images, size: encoded.size, labels: encoded.labels, encoded };
  };
  return { train: part(kept), heldOut: part(heldOut) };
}

/** Number of images that represent a set. */
const mostSampled = 1000;

/** Indices of at most 1,000 images, spread evenly. */
export function sampleIndices({ size }: Pick<StreamedImages, 'size'>): number[] {
  const count = Math.min(size, mostSampled);
  return Array.from({ length: count }, (_, index) => Math.floor((index * size) / count));
}

/**
 * Measures mean and standard deviation per channel on at most 1,000 images, spread evenly over the set.
 *
 * @throws LocalgradError `missing-dependency` without sharp; `invalid-data` with the image's location
 */
export async function measureStreamed({
  encoded,
  imageShape,
  shorter,
  ...images
}: StreamedImages): Promise<Normalization> {
  const [size, , channels] = imageShape;
  if (channels !== 1 && channels !== 3) throw new LocalgradError('misuse', `Images of ${channels} channels.`);
  const decode = await createDecoder(channels);
  const rule = centralGeometry(size, shorter);
  const indices = sampleIndices(images);
  const length = size * size * channels;
  const values = new Uint8Array(indices.length * length);
  let position = 0;
  const decoded = inOrder(indices.length, 4, 16, async (index) => {
    const sample = indices[index] ?? 0;
    return decode(await encoded.read(sample), encoded.locate(sample), rule);
  });
  for await (const { bytes } of decoded) values.set(bytes, length * position++);
  return measureNormalization({ images: values, imageShape });
}
