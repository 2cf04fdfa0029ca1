import { type JsonObject, LocalgradError, rejectUnknownKeys, requireOption, type Shape3 } from '@localgrad/core';
import { createRandom } from '@localgrad/nn';

/** Labelled images in memory, channels last, one byte a value. */
export interface ImageDataset {
  readonly name: string;
  readonly classes: readonly string[];
  readonly imageShape: Shape3;
  readonly size: number;
  /** size × height × width × channels. */
  readonly images: Uint8Array;
  /** Index of the class of each image. */
  readonly labels: Uint8Array;
}

/** Training and test images, and the config that rebuilds them. */
export interface DatasetSplits {
  readonly config: JsonObject;
  readonly train: ImageDataset;
  readonly test: ImageDataset;
}

/** Throws `invalid-data` unless images, labels, shape and size fit together. */
export function checkDataset({ name, classes, imageShape, size, images, labels }: ImageDataset): void {
  const refuse = (expected: string, found: string): never => {
    throw new LocalgradError('invalid-data', `Data set '${name}': expected ${expected}, found ${found}.`, {
      name,
      expected,
      found,
    });
  };
  if (!Number.isInteger(size) || size < 1) refuse('a size of 1 or more', `${size}`);
  const length = size * imageShape[0] * imageShape[1] * imageShape[2];
  if (length === 0 || images.length !== length)
    refuse(`${size} images of ${imageShape.join('×')} (${length} values)`, `${images.length} values`);
  if (labels.length !== size) refuse(`${size} labels, one for each image`, `${labels.length}`);
  const wrong = labels.findIndex((label) => !(Number.isInteger(label) && label >= 0 && label < classes.length));
  if (wrong >= 0) refuse(`labels below ${classes.length}`, `${labels[wrong]} for image ${wrong}`);
}

export interface TakeOptions {
  /** `balanced` (default): as many of each class, as far as they go. `first`: the first ones. */
  readonly by?: 'balanced' | 'first';
  /** Draw at random under this seed instead of taking the first ones (of each class). */
  readonly seed?: number;
}

/** A subset of `count` images, in the order of the data set. @throws LocalgradError `invalid-option`, `invalid-data` */
export function take(dataset: ImageDataset, count: number, options: TakeOptions = {}): ImageDataset {
  rejectUnknownKeys('take', options, ['by', 'seed']);
  checkDataset(dataset);
  const { by = 'balanced', seed } = options;
  requireOption(
    Number.isInteger(count) && count >= 1 && count <= dataset.size,
    'take',
    'count',
    count,
    `1 to ${dataset.size}`,
  );
  requireOption(by === 'balanced' || by === 'first', 'take', 'by', by, 'balanced, first');
  const order = Array.from({ length: dataset.size }, (_, index) => index);
  if (seed !== undefined) createRandom(seed, 'take').shuffle(order);
  return pick(
    dataset,
    (by === 'first' ? order.slice(0, count) : balanced(dataset, order, count)).sort((a, b) => a - b),
  );
}

/** Goes round the classes, one image each, until there are enough. */
function balanced({ labels, classes }: ImageDataset, order: readonly number[], count: number): number[] {
  const queues = classes.map((): number[] => []);
  for (const index of order) queues[labels[index] as number]?.push(index);
  const chosen: number[] = [];
  for (let round = 0; chosen.length < count; round++) {
    for (const queue of queues) {
      const index = queue[round];
      if (index !== undefined && chosen.length < count) chosen.push(index);
    }
  }
  return chosen;
}

function pick(dataset: ImageDataset, indices: readonly number[]): ImageDataset {
  const length = dataset.images.length / dataset.size;
  const images = new Uint8Array(indices.length * length);
  indices.forEach((index, position) => {
    images.set(dataset.images.subarray(index * length, (index + 1) * length), position * length);
  });
  return {
    ...dataset,
    size: indices.length,
    images,
    labels: Uint8Array.from(indices, (index) => dataset.labels[index] as number),
  };
}
