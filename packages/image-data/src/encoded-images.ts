import { requireOption } from '@localgrad/core';
import { balancedIndices } from '@localgrad/data';

/** Labeled images in compressed form, decoded on demand. */
export interface EncodedImages {
  readonly name: string;
  readonly classes: readonly string[];
  readonly size: number;
  /** Class of each image. */
  readonly labels: Int32Array;
  /** Returns the content of an image file. */
  read(index: number): Promise<Uint8Array>;
  /** Returns the location of an image, for messages. */
  locate(index: number): string;
}

/** Training and test images. */
export interface EncodedSplits {
  readonly train: EncodedImages;
  readonly test: EncodedImages;
}

/** A subset, in the order of the indices. */
export function pickEncoded(images: EncodedImages, indices: readonly number[]): EncodedImages {
  const original = (index: number): number => indices[index] ?? index;
  return {
    name: images.name,
    classes: images.classes,
    size: indices.length,
    labels: Int32Array.from(indices, (index) => images.labels[index] ?? 0),
    read: (index) => images.read(original(index)),
    locate: (index) => images.locate(original(index)),
  };
}

/** A number of images, balanced across classes; all if undefined. @throws LocalgradError `invalid-option` */
export function takeEncoded(images: EncodedImages, part: 'train' | 'test', count: number | undefined): EncodedImages {
  if (count === undefined) return images;
  const isAllowed = Number.isInteger(count) && count >= 1 && count <= images.size;
  requireOption(isAllowed, `data set '${images.name}'`, `${part} images`, count, `1 to ${images.size}`);
  return pickEncoded(images, balancedIndices(images, count));
}
