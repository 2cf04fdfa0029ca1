import { rejectUnknownKeys, requireOption, type Shape3, type Targets } from '@localgrad/core';
import { createRandom } from '@localgrad/nn/random';
import * as tf from '@tensorflow/tfjs';
import { type Augmentation, augment, checkAugmentation } from './augmentation.js';
import { checkDataset, valuesPerSample } from './check-dataset.js';
import { type Cutout, checkCutout, erase, erasedRectangle } from './cutout.js';
import { createLike, type ImageDataset, pickSamples, type SampleValues } from './dataset.js';
import { createSampleOrder, type SampleOrderOptions, sampleOrderOptions } from './sample-order.js';
import { checkNormalization, measuredNormalization, type Normalization } from './transforms.js';

/** The seed is that of order and augmentation. */
export interface BatchOptions extends SampleOrderOptions {
  readonly batchSize: number;
  readonly augmentation?: Augmentation;
  /** Replaces a square of every image by the mean (zero after normalization). */
  readonly cutout?: Cutout;
  /** Default: measured on this data set. For a test set, pass the training set's. */
  readonly normalization?: Normalization;
  /** Drop an incomplete last batch. Default false, as in the methods' reference code. */
  readonly dropLast?: boolean;
  /** Also return the augmented images in [0, 1], for decoders. Default false. */
  readonly withImages?: boolean;
}

/** Position in a stream of batches, as plain data. Together with the options it determines all following batches. */
export interface BatchPosition {
  readonly epoch: number;
  /** Number of samples of the epoch that have been returned. */
  readonly sample: number;
}

/** A batch; owned by the caller. */
export interface DataBatch {
  /** Normalized, [size, ...imageShape]. */
  readonly images: tf.Tensor4D;
  readonly targets: Targets;
  readonly size: number;
  /** Position after this batch, from which the stream can be resumed. */
  readonly next: BatchPosition;
  dispose(): void;
}

/**
 * Batches of a data set. Order and augmentation depend only on seed, epoch and sample (with `classesPerBatch`, the order
 * also on the batch size), so that a resumed stream continues with the same batches, and the augmented images do not depend on
 * the batch size.
 */
export interface Batches {
  readonly samples: number;
  readonly batchSize: number;
  readonly batchesPerEpoch: number;
  readonly normalization: Normalization;
  /** The batches of one epoch (from 0), starting at a sample. */
  epoch(epoch: number, fromSample?: number): Iterable<DataBatch>;
  /** An endless stream of epochs, starting at a position. */
  stream(from?: BatchPosition): Iterable<DataBatch>;
}

/** @throws LocalgradError `invalid-option`, `invalid-data` (inconsistent images, labels and size, or a constant channel) */
export function createBatches(dataset: ImageDataset, options: BatchOptions): Batches {
  rejectUnknownKeys('createBatches', options, [
    ...sampleOrderOptions,
    'batchSize',
    'augmentation',
    'cutout',
    'normalization',
    'dropLast',
    'withImages',
  ]);
  const { batchSize, seed = 0, augmentation = {}, dropLast = false, withImages = false } = options;
  checkDataset(dataset);
  const most = dataset.size;
  requireOption(
    Number.isInteger(batchSize) && batchSize >= 1 && batchSize <= most,
    'createBatches',
    'batchSize',
    batchSize,
    `integers from 1 to ${most}`,
  );
  checkAugmentation(augmentation, dataset.imageShape);
  const { cutout } = options;
  if (cutout !== undefined) checkCutout(cutout, dataset.imageShape);
  const normalization = options.normalization ?? measuredNormalization(dataset);
  const channels = dataset.imageShape[2];
  checkNormalization('createBatches', normalization, channels);
  const zeros = normalization.mean.map(() => 0);
  const table = normalizationTable(normalization);
  const isAugmented = (augmentation.pad ?? 0) > 0 || augmentation.flip === true;
  const usable = dropLast ? Math.floor(most / batchSize) * batchSize : most;
  const length = dataset.images.length / dataset.size;

  const order = createSampleOrder('createBatches', dataset, batchSize, options);

  function assemble(epoch: number, indices: Uint32Array, start: number): DataBatch {
    const size = Math.min(batchSize, usable - start);
    const chosen = indices.subarray(start, start + size);
    /** The values of the selected samples; pass `shape` for values to be augmented. */
    const samples = <T extends SampleValues>(values: T, sampleLength: number, shape?: Shape3, fill = 0): T => {
      if (shape === undefined || !isAugmented) return pickSamples(values, sampleLength, chosen);
      const picked = createLike(values, size * sampleLength);
      chosen.forEach((index, position) => {
        const source = values.subarray(index * sampleLength, (index + 1) * sampleLength);
        const target = picked.subarray(position * sampleLength, (position + 1) * sampleLength);
        augment(source, target, shape, augmentation, createRandom(seed, `augment/${epoch}/${index}`), fill);
      });
      return picked;
    };
    const bytes = samples(dataset.images, length, dataset.imageShape);
    const shape: [number, number, number, number] = [size, ...dataset.imageShape];
    const erasing = (values: Float32Array, fill: readonly number[]): Float32Array => {
      if (cutout === undefined) return values;
      for (const [position, index] of chosen.entries()) {
        const rectangle = erasedRectangle(cutout, dataset.imageShape, seed, epoch, index);
        erase(values, position * length, dataset.imageShape, rectangle, fill);
      }
      return values;
    };
    const images = tf.tensor4d(erasing(lookUp(bytes, table, channels), zeros), shape);
    const targets: Targets = {
      ...(dataset.labels.length === 0
        ? {}
        : { labels: tf.tensor1d(Int32Array.from(samples(dataset.labels, 1)), 'int32') }),
      ...(withImages ? { images: tf.tensor4d(erasing(lookUp(bytes, unitTable, 1), normalization.mean), shape) } : {}),
      ...Object.fromEntries(
        Object.entries(dataset.targets ?? {}).map(([name, target]) => {
          const perSample = valuesPerSample(target.shape);
          const [height = 1, width = 1] = target.shape;
          const moved: Shape3 | undefined = target.spatial ? [height, width, perSample / (height * width)] : undefined;
          const values = samples(target.values, perSample, moved, target.fill);
          const isFloat = values instanceof Float32Array;
          return [
            name,
            tf.tensor(
              isFloat ? values : Int32Array.from(values),
              [size, ...target.shape],
              isFloat ? 'float32' : 'int32',
            ),
          ];
        }),
      ),
    };
    const end = start + size;
    return {
      images,
      targets,
      size,
      next: end >= usable ? { epoch: epoch + 1, sample: 0 } : { epoch, sample: end },
      dispose() {
        tf.dispose([images, ...Object.values(targets).filter((target) => target !== undefined)]);
      },
    };
  }

  function* epochBatches(epoch: number, fromSample = 0): Iterable<DataBatch> {
    requireOption(Number.isInteger(epoch) && epoch >= 0, 'epoch', 'epoch', epoch, 'integers ≥ 0');
    requireOption(
      Number.isInteger(fromSample) && fromSample >= 0 && fromSample <= usable,
      'epoch',
      'fromSample',
      fromSample,
      `integers from 0 to ${usable}`,
    );
    const indices = order(epoch);
    for (let start = fromSample; start < usable; start += batchSize) yield assemble(epoch, indices, start);
  }

  return {
    samples: usable,
    batchSize,
    batchesPerEpoch: Math.ceil(usable / batchSize),
    normalization,
    epoch: epochBatches,
    *stream(from = { epoch: 0, sample: 0 }) {
      yield* epochBatches(from.epoch, from.sample);
      for (let epoch = from.epoch + 1; ; epoch++) yield* epochBatches(epoch);
    },
  };
}

/** Lookup table of (byte / 255 − mean) / deviation for every byte and channel. */
function normalizationTable({ mean, deviation }: Normalization): Float32Array {
  return Float32Array.from({ length: 256 * mean.length }, (_, index) => {
    const channel = index >> 8;
    return ((index & 255) / 255 - (mean[channel] as number)) / (deviation[channel] as number);
  });
}

/** Lookup table that maps bytes to [0, 1]. */
const unitTable = Float32Array.from({ length: 256 }, (_, byte) => byte / 255);

/**
 * Maps every byte with the 256-entry table of its channel. A plain loop, because `Float32Array.from` with a function is
 * ten times slower; colors in one pass, because a pass per channel takes 1.6 times as long.
 */
function lookUp(bytes: Uint8Array, table: Float32Array, channels: number): Float32Array {
  const values = new Float32Array(bytes.length);
  if (channels === 3) {
    for (let at = 0; at < bytes.length; at += 3) {
      values[at] = table[bytes[at] as number] as number;
      values[at + 1] = table[256 + (bytes[at + 1] as number)] as number;
      values[at + 2] = table[512 + (bytes[at + 2] as number)] as number;
    }
    return values;
  }
  for (let channel = 0; channel < channels; channel++) {
    const start = channel * 256;
    for (let at = channel; at < bytes.length; at += channels) {
      values[at] = table[start + (bytes[at] as number)] as number;
    }
  }
  return values;
}
