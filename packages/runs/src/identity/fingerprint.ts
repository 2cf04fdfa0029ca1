import type { DatasetTarget, ImageDataset } from '@localgrad/data';
import { canonicalJson, sha256 } from '../folder/hash.js';

/** Fingerprint of the images of a data set as used in training: after selection, resizing and padding. */
export interface ImageFingerprint {
  readonly images: number;
  /** Height, width, channels. */
  readonly shape: readonly number[];
  readonly classes: number;
  /** SHA-256 of all pixels. */
  readonly pixels: string;
  /** SHA-256 of all labels. */
  readonly labels: string;
  /** SHA-256 of each further target, with its shape. */
  readonly targets: Readonly<Record<string, string>>;
}

/** Runs of a sweep share loaded data sets: each is hashed once. */
const known = new WeakMap<ImageDataset, ImageFingerprint>();

export function fingerprintOf(dataset: ImageDataset): ImageFingerprint {
  const before = known.get(dataset);
  if (before !== undefined) return before;
  const { size, imageShape, classes, images, labels, targets = {} } = dataset;
  const fingerprint: ImageFingerprint = {
    images: size,
    shape: [...imageShape],
    classes: classes.length,
    pixels: sha256(images),
    // Labels of another data type are equal if their values are.
    labels: hashOfNumbers(Int32Array.from(labels)),
    targets: Object.fromEntries(Object.entries(targets).map(([name, target]) => [name, hashOfTarget(target)])),
  };
  known.set(dataset, fingerprint);
  return fingerprint;
}

function hashOfTarget({ shape, spatial = false, values }: DatasetTarget): string {
  return sha256(canonicalJson({ shape, spatial, type: values.constructor.name, values: hashOfNumbers(values) }));
}

function hashOfNumbers({ buffer, byteOffset, byteLength }: DatasetTarget['values']): string {
  return sha256(new Uint8Array(buffer, byteOffset, byteLength));
}
