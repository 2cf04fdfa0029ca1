import { type JsonObject, rejectUnknownKeys, requireOption, type Shape3 } from '@localgrad/core';
import { createRandom } from '@localgrad/nn/random';
import { checkDataset, valuesPerSample } from './check-dataset.js';

/** A per-sample target besides the labels: regression values, masks. */
export interface DatasetTarget {
  /** Shape of one sample's target; `[]` for one number. */
  readonly shape: readonly number[];
  /** size × shape values, sample by sample. Batches contain floats as float32 and integers as int32. */
  readonly values: Float32Array | Int32Array | Uint16Array | Uint8Array;
  /**
   * Whether the first two axes are the image's height and width. If true, augmentation transforms the target together
   * with the image; padding is `fill`, or reflected like the image.
   */
  readonly spatial?: boolean;
  /** Value of padding, such as that of pixels without a class. Default 0. */
  readonly fill?: number;
}

/** Images in memory (channels last, one byte per value) with labels, other targets, or both. */
export interface ImageDataset {
  readonly name: string;
  readonly classes: readonly string[];
  readonly imageShape: Shape3;
  readonly size: number;
  /** size × height × width × channels. */
  readonly images: Uint8Array;
  /** Class index of each image. Empty if a data set has only other targets; `classes` may then name those of a target. */
  readonly labels: Uint8Array | Uint16Array | Int32Array;
  /** Targets by name; batches contain them under the same names. */
  readonly targets?: Readonly<Record<string, DatasetTarget>>;
}

/** Training and test images, and the config that rebuilds them. */
export interface DatasetSplits {
  readonly config: JsonObject;
  readonly train: ImageDataset;
  readonly test: ImageDataset;
}

export interface TakeOptions {
  /** `balanced` (default): balanced across classes; needs labels. `first`: the first images (default without labels). */
  readonly by?: 'balanced' | 'first';
  /** Seed to sample randomly instead of taking the first images (of each class). */
  readonly seed?: number;
}

/**
 * Returns a subset of `count` images, in the order of the data set. @throws LocalgradError `invalid-option`,
 * `invalid-data`
 */
export function take(dataset: ImageDataset, count: number, options: TakeOptions = {}): ImageDataset {
  rejectUnknownKeys('take', options, ['by', 'seed']);
  checkDataset(dataset);
  const { by = dataset.labels.length === 0 ? 'first' : 'balanced', seed } = options;
  requireOption(
    Number.isInteger(count) && count >= 1 && count <= dataset.size,
    'take',
    'count',
    count,
    `1 to ${dataset.size}`,
  );
  const ways = dataset.labels.length === 0 ? ['first'] : ['balanced', 'first'];
  requireOption(ways.includes(by), 'take', 'by', by, ways.join(', '));
  const order = Array.from({ length: dataset.size }, (_, index) => index);
  if (seed !== undefined) createRandom(seed, 'take').shuffle(order);
  return pick(
    dataset,
    by === 'first' ? order.slice(0, count).sort((a, b) => a - b) : balancedIndices(dataset, count, order),
  );
}

/**
 * Selects one image per class in turn, until there are enough. Returns the indices in the order of the data set.
 *
 * @param order order of the selection; default: that of the data set
 */
export function balancedIndices(
  { labels, classes }: Pick<ImageDataset, 'labels' | 'classes'>,
  count: number,
  order: ArrayLike<number> = Array.from(labels, (_, index) => index),
): number[] {
  const queues = classes.map((): number[] => []);
  for (const index of Array.from(order)) queues[labels[index] as number]?.push(index);
  const chosen: number[] = [];
  for (let round = 0; chosen.length < count; round++) {
    for (const queue of queues) {
      const index = queue[round];
      if (index !== undefined && chosen.length < count) chosen.push(index);
    }
  }
  return chosen.sort((a, b) => a - b);
}

/** The samples with these indices, in their order. */
export function pick(dataset: ImageDataset, indices: readonly number[]): ImageDataset {
  const { images, labels, targets } = dataset;
  const picked = targets === undefined ? {} : { targets: pickTargets(targets, indices) };
  return {
    ...dataset,
    size: indices.length,
    images: pickSamples(images, images.length / dataset.size, indices),
    labels: labels.length === 0 ? labels : pickSamples(labels, 1, indices),
    ...picked,
  };
}

function pickTargets(targets: Readonly<Record<string, DatasetTarget>>, indices: readonly number[]) {
  return Object.fromEntries(
    Object.entries(targets).map(([name, target]) => [
      name,
      { ...target, values: pickSamples(target.values, valuesPerSample(target.shape), indices) },
    ]),
  );
}

/** Copies the values of the samples with these indices, `length` each, to an array of the same type. */
export function pickSamples<T extends SampleValues>(values: T, length: number, indices: ArrayLike<number>): T {
  const picked = createLike(values, indices.length * length);
  for (let position = 0; position < indices.length; position++) {
    const start = (indices[position] ?? 0) * length;
    picked.set(values.subarray(start, start + length), position * length);
  }
  return picked;
}

export type SampleValues = DatasetTarget['values'];

/** Creates a zero-filled array of the same type; a `Uint8Array` for a Node.js `Buffer`, whose constructor is deprecated. */
export function createLike<T extends SampleValues>(values: T, length: number): T {
  const create = (values instanceof Uint8Array ? Uint8Array : values.constructor) as new (length: number) => T;
  return new create(length);
}
