import { LocalgradError, rejectUnknownKeys } from '@localgrad/core';
import { type DatasetTarget, type ImageDataset, type ImageSize, requireSize } from '@localgrad/data';
import { type Channels, createDecoder } from './decode.js';
import type { EncodedImages } from './encoded-images.js';
import { centralGeometry } from './geometry.js';
import { unlabeled } from './label-maps/label-map-folder.js';
import { inOrder } from './ordered-pool.js';
import { readSample } from './read-sample.js';

export interface LoadImagesOptions {
  /** Resizes images until they cover this height and width, and crops the center. Default: no change; all images must have the same size. */
  readonly size?: ImageSize;
  /** 3: color (default); 1: gray. */
  readonly channels?: Channels;
  /** Number of images decoded at the same time; does not affect the result. Default 4. */
  readonly workers?: number;
}

/** Value of `reason` in the details of the error for images of different sizes. */
export const differentSizes = 'different sizes';

/** Maximum bytes of decoded images in memory. */
export const mostBytes = 2 ** 32;

/** Decodes all images into memory. @throws LocalgradError `missing-dependency`, `invalid-data`, `invalid-option` */
export async function loadImages(source: EncodedImages, options: LoadImagesOptions = {}): Promise<ImageDataset> {
  rejectUnknownKeys('loadImages', options, ['size', 'channels', 'workers']);
  const { size, channels = 3, workers = 4 } = options;
  if (size !== undefined) requireSize('loadImages', 'size', size);
  const decode = await createDecoder(channels);
  const rule = size === undefined ? undefined : centralGeometry(size);
  const { maps } = source;
  let images = new Uint8Array(0);
  let classOf = new Uint8Array(0);
  let shape = [0, 0];
  let index = 0;
  const decoded = inOrder(source.size, workers, 4 * workers, (at) => readSample(source, at, decode, rule));
  for await (const { height, width, bytes, map } of decoded) {
    if (index === 0) {
      shape = [height, width];
      checkMemory(source, bytes.length);
      images = new Uint8Array(source.size * bytes.length);
      if (maps !== undefined) classOf = new Uint8Array(source.size * height * width);
    } else if (height !== shape[0] || width !== shape[1]) {
      const expected = `${shape.join('×')} pixels, as the first image`;
      const message = `${source.locate(index)}: expected ${expected}, found ${height}×${width}. Images of different sizes need a size (--resize, or size: 64).`;
      throw new LocalgradError('invalid-data', message, { path: source.locate(index), reason: differentSizes });
    }
    if (map !== undefined) classOf.set(map, index * height * width);
    images.set(bytes, index * bytes.length);
    index++;
  }
  const { name, classes } = source;
  const [height = 0, width = 0] = shape;
  const target: DatasetTarget = { shape: [height, width], values: classOf, spatial: true, fill: unlabeled };
  return {
    name,
    classes,
    imageShape: [height, width, channels],
    size: source.size,
    images,
    labels: source.labels,
    ...(maps === undefined ? {} : { targets: { masks: target } }),
  };
}

function checkMemory({ name, size }: EncodedImages, imageBytes: number): void {
  if (size * imageBytes <= mostBytes) return;
  const gigabytes = ((size * imageBytes) / 2 ** 30).toFixed(1);
  throw new LocalgradError(
    'invalid-data',
    `${name}: ${size} images of ${imageBytes} bytes take ${gigabytes} GiB of memory, more than 4. Choose a smaller size, or decode them during training (decode: during, or createImageBatches).`,
    { size, imageBytes },
  );
}
