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
