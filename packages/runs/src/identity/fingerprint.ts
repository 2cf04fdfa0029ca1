import type { ImageDataset } from '@localgrad/data';
import { sha256 } from '../folder/hash.js';

/** What identifies the images of a data set, as they are fed to training: after selection, resizing and padding. */
export interface ImageFingerprint {
  readonly images: number;
  /** Height, width, channels. */
  readonly shape: readonly number[];
  readonly classes: number;
  /** SHA-256 of all pixels. */
  readonly pixels: string;
  /** SHA-256 of all labels. */
  readonly labels: string;
}

/** Runs of a sweep share loaded data sets: each is hashed once. */
const known = new WeakMap<ImageDataset, ImageFingerprint>();

export function fingerprintOf(dataset: ImageDataset): ImageFingerprint {
  const before = known.get(dataset);
  if (before !== undefined) return before;
  const { size, imageShape, classes, images, labels } = dataset;
  const fingerprint: ImageFingerprint = {
    images: size,
    shape: [...imageShape],
    classes: classes.length,
    pixels: sha256(images),
    labels: sha256(labels),
  };
  known.set(dataset, fingerprint);
  return fingerprint;
}
