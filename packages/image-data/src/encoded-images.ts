import { requireOption } from '@localgrad/core';
import { balancedIndices } from '@localgrad/data';
import type { LabelMap } from './label-maps/png-values.js';

/** Label maps of images, one for each. */
export interface EncodedMaps {
  /** Returns the class of each pixel; 255 for none. @throws LocalgradError `invalid-data` */
  read(index: number): Promise<LabelMap>;
  /** Returns the content of the file. */
  readFile(index: number): Promise<Uint8Array>;
  /** Returns the location of a map, for messages. */
  locate(index: number): string;
}

/** Labeled images in compressed form, decoded on demand. */
export interface EncodedImages {
  readonly name: string;
  readonly classes: readonly string[];
  readonly size: number;
  /** Class of each image; empty if the images have label maps instead. */
  readonly labels: Int32Array;
  /** The classes of the images' pixels. */
  readonly maps?: EncodedMaps;
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
  const { labels, maps } = images;
  return {
    name: images.name,
    classes: images.classes,
    size: indices.length,
    labels: labels.length === 0 ? labels : Int32Array.from(indices, (index) => labels[index] ?? 0),
    read: (index) => images.read(original(index)),
    locate: (index) => images.locate(original(index)),
    ...(maps === undefined
      ? {}
      : {
          maps: {
            read: (index) => maps.read(original(index)),
            readFile: (index) => maps.readFile(original(index)),
            locate: (index) => maps.locate(original(index)),
          },
        }),
  };
}

/** A number of images, balanced across classes if they have labels, else the first; all if undefined. @throws LocalgradError `invalid-option` */
export function takeEncoded(images: EncodedImages, part: 'train' | 'test', count: number | undefined): EncodedImages {
  if (count === undefined) return images;
  const isAllowed = Number.isInteger(count) && count >= 1 && count <= images.size;
  requireOption(isAllowed, `data set '${images.name}'`, `${part} images`, count, `1 to ${images.size}`);
  const first = Array.from({ length: count }, (_, index) => index);
  return pickEncoded(images, images.labels.length === 0 ? first : balancedIndices(images, count));
}
