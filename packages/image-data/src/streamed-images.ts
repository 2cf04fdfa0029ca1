import { LocalgradError, rejectUnknownKeys, type Shape3 } from '@localgrad/core';
import {
  type DatasetTarget,
  type ImageDataset,
  type ImageSize,
  measuredNormalization,
  type Normalization,
  requireSize,
  type SplitOptions,
  sidesOf,
  stratifiedSplit,
} from '@localgrad/data';
import { openImages, requireTestImages } from './dataset.js';
import { type Channels, createDecoder } from './decode.js';
import { type EncodedImages, pickEncoded, takeEncoded } from './encoded-images.js';
import { centralGeometry } from './geometry.js';
import { unlabeled } from './label-maps/label-map-folder.js';
import { inOrder } from './ordered-pool.js';

/** Images that are decoded while they are used: `ImageDataset` for sets larger than memory. Batches: `createImageBatches`. */
export interface StreamedImages extends Pick<ImageDataset, 'name' | 'classes' | 'imageShape' | 'size'> {
  readonly labels: Int32Array;
  /** Shapes and types of the targets that are read with the images; their values are empty. */
  readonly targets?: NonNullable<ImageDataset['targets']>;
  /** The compressed images, in the same order. */
  readonly encoded: EncodedImages;
  /** As in `createImageBatches`. */
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
  readonly size: ImageSize;
  /** As in `createImageBatches`. */
  readonly shorter?: number;
  /** Number of training images to use, balanced across classes. Default: all. */
  readonly train?: number;
  /** Number of test images to use. */
  readonly test?: number;
}

/** Finds the images of a folder, to decode them during training. @throws LocalgradError */
export async function streamImages(options: StreamOptions): Promise<StreamedSplits> {
  requireSize('streamImages', 'size', options.size);
  const { size, shorter = Math.min(...sidesOf(size)), channels = 3, train, test, ...open } = options;
  rejectUnknownKeys('image data', open, ['folder', 'holdOut', 'seed', 'labels']);
  const images = await openImages(open);
  requireTestImages(open.folder, images);
  const [height, width] = sidesOf(size);
  const imageShape: Shape3 = [height, width, channels];
  const streamed = (all: EncodedImages, part: 'train' | 'test'): StreamedImages => {
    const encoded = takeEncoded(all, part, options[part]);
    const { name, classes, size: count, labels } = encoded;
    const masks: DatasetTarget = { shape: [height, width], values: new Uint8Array(0), spatial: true, fill: unlabeled };
    const targets = encoded.maps === undefined ? {} : { targets: { masks } };
    return { name, classes, imageShape, size: count, labels, ...targets, encoded, shorter };
  };
  return { train: streamed(images.train, 'train'), test: streamed(images.test, 'test') };
}

/** Splits a set, stratified by class if it has labels, into the rest and the held-out fraction, as `holdOut` does in memory. @throws LocalgradError */
export function holdOutStreamed(
  images: StreamedImages,
  fraction: number,
  options: SplitOptions = {},
): { readonly train: StreamedImages; readonly heldOut: StreamedImages } {
  rejectUnknownKeys('holdOutStreamed', options, ['seed']);
  const { labels, classes, size } = images;
  const isLabeled = labels.length > 0;
  const one = isLabeled ? labels : new Uint8Array(size);
  const { kept, heldOut } = stratifiedSplit(one, isLabeled ? classes.length : 1, fraction, options.seed);
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
  const [height, width, channels] = imageShape;
  if (channels !== 1 && channels !== 3) throw new LocalgradError('misuse', `Images of ${channels} channels.`);
  const decode = await createDecoder(channels);
  const rule = centralGeometry([height, width], shorter);
  const indices = sampleIndices(images);
  const length = height * width * channels;
  const values = new Uint8Array(indices.length * length);
  let position = 0;
  const decoded = inOrder(indices.length, 4, 16, async (index) => {
    const sample = indices[index] ?? 0;
    return decode(await encoded.read(sample), encoded.locate(sample), rule);
  });
  for await (const { bytes } of decoded) values.set(bytes, length * position++);
  return measuredNormalization({ name: images.name, images: values, imageShape });
}
