import type { DatasetTarget } from '@localgrad/data';
import { type StreamedImages, sampleIndices } from '@localgrad/image-data';
import { canonicalJson, sha256 } from '../folder/hash.js';
import { isStreamed, type RunImages } from '../run-images.js';

/** Fingerprint of the images of a data set as used in training: after selection, resizing and padding. */
export interface ImageFingerprint {
  readonly images: number;
  /** Height, width, channels. */
  readonly shape: readonly number[];
  readonly classes: number;
  /** SHA-256 of all pixels; of the files of at most 1,000 images, spread evenly, if they are decoded during training. */
  readonly pixels: string;
  /** SHA-256 of all labels. */
  readonly labels: string;
  /** SHA-256 of each further target, with its shape. */
  readonly targets: Readonly<Record<string, string>>;
}

/** Runs of a sweep share loaded data sets: each is hashed once. */
const known = new WeakMap<RunImages, ImageFingerprint>();

export async function fingerprintOf(dataset: RunImages): Promise<ImageFingerprint> {
  const before = known.get(dataset);
  if (before !== undefined) return before;
  const { size, imageShape, classes, labels } = dataset;
  const targets = isStreamed(dataset) ? {} : (dataset.targets ?? {});
  const fingerprint: ImageFingerprint = {
    images: size,
    shape: [...imageShape],
    classes: classes.length,
    pixels: isStreamed(dataset) ? await hashOfFiles(dataset) : sha256(dataset.images),
    // Labels of another data type are equal if their values are.
    labels: hashOfNumbers(Int32Array.from(labels)),
    targets: Object.fromEntries(Object.entries(targets).map(([name, target]) => [name, hashOfTarget(target)])),
  };
  known.set(dataset, fingerprint);
  return fingerprint;
}

async function hashOfFiles({ encoded, ...images }: StreamedImages): Promise<string> {
  const hashes: string[] = [];
  for (const index of sampleIndices(images)) {
    hashes.push(sha256(await encoded.read(index)));
    if (encoded.maps !== undefined) hashes.push(sha256(await encoded.maps.readFile(index)));
  }
  return sha256(canonicalJson(hashes));
}

function hashOfTarget({ shape, spatial = false, fill = 0, values }: DatasetTarget): string {
  const filled = fill === 0 ? {} : { fill };
  return sha256(
    canonicalJson({ shape, spatial, ...filled, type: values.constructor.name, values: hashOfNumbers(values) }),
  );
}

function hashOfNumbers({ buffer, byteOffset, byteLength }: DatasetTarget['values']): string {
  return sha256(new Uint8Array(buffer, byteOffset, byteLength));
}
