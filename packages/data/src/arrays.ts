import { LocalgradError, type Shape3 } from '@localgrad/core';
import { checkDataset, type ImageDataset } from './dataset.js';

/** Images in memory. */
export interface ArrayImages {
  readonly name?: string;
  /** Names of the classes. Default: `0`, `1`, … up to the largest label. */
  readonly classes?: readonly string[];
  readonly imageShape: Shape3;
  /** Bytes, or numbers from 0 to 1, channels last; in one array, or one per image. */
  readonly images: Uint8Array | Float32Array | readonly (Uint8Array | Float32Array)[];
  readonly labels: ArrayLike<number>;
}

/**
 * Creates a data set from arrays, and checks it. Numbers from 0 to 1 are rounded to bytes.
 *
 * @throws LocalgradError `invalid-data` if images, labels and shape are inconsistent
 */
export function datasetFromArrays(options: ArrayImages): ImageDataset {
  const { name = 'arrays', imageShape, images, labels } = options;
  const size = labels.length;
  const parts = images instanceof Uint8Array || images instanceof Float32Array ? [images] : images;
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    if (part instanceof Uint8Array) bytes.set(part, offset);
    else
      part.forEach((value, index) => {
        if (!(value >= 0 && value <= 1)) {
          const message = `Data set '${name}': expected numbers from 0 to 1, found ${value} at index ${offset + index}.`;
          throw new LocalgradError('invalid-data', message, { name, value });
        }
        bytes[offset + index] = Math.round(value * 255);
      });
    offset += part.length;
  }
  const most = Array.from(labels).reduce((largest, label) => Math.max(largest, label), -1);
  const classes = options.classes ?? Array.from({ length: most + 1 }, (_, label) => `${label}`);
  const dataset = { name, classes, imageShape, size, images: bytes, labels: Int32Array.from(labels) };
  checkDataset(dataset);
  return dataset;
}
