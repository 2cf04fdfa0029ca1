import { rejectUnknownKeys, requireOption, type Shape3, type Targets } from '@localgrad/core';
import {
  type Augmentation,
  augment,
  type BatchPosition,
  type Cutout,
  checkAugmentation,
  checkCutout,
  checkNormalization,
  createSampleOrder,
  type DataBatch,
  erase,
  erasedRectangle,
  type Normalization,
  normalizations,
  type SampleOrderOptions,
  sampleOrderOptions,
} from '@localgrad/data';
import { createRandom } from '@localgrad/nn/random';
import * as tf from '@tensorflow/tfjs';
import { type Channels, createDecoder, type GeometryRule } from './decode.js';
import type { EncodedImages } from './encoded-images.js';
import { type CropOptions, centralGeometry, checkCrop, trainingGeometry } from './geometry.js';
import { unlabeled } from './label-maps/label-map-folder.js';
import { inOrder } from './ordered-pool.js';
import { type DecodedSample, readSample } from './read-sample.js';

/** The seed is that of order and augmentation. */
export interface ImageBatchOptions extends SampleOrderOptions {
  readonly batchSize: number;
  /** Height and width of the images, e.g. 224. */
  readonly size: number;
  /** Length of the shorter side before the central crop, e.g. 256. Default: `size`. Not with `augmentation`. */
  readonly shorter?: number;
  /** Random crops and flips of training images; `{}` is the ImageNet recipe. Default: a central crop. */
  readonly augmentation?: Omit<CropOptions, 'size'>;
  /** Random shifts and flips after the central crop, with the bits of `createBatches`. Not with `augmentation`. */
  readonly shift?: Augmentation;
  /** Replaces a square of every image by the mean (zero after normalization). */
  readonly cutout?: Cutout;
  /** 3: color (default); 1: gray. */
  readonly channels?: Channels;
  /** Default: the constants of ImageNet. */
  readonly normalization?: Normalization;
  /** Drop an incomplete last batch. Default false. */
  readonly dropLast?: boolean;
  /** Also yield the augmented images in [0, 1], for decoders. Default false. */
  readonly withImages?: boolean;
  /** Number of images decoded at the same time; does not affect the result. Default 4. */
  readonly workers?: number;
  /** Number of batches decoded in advance; bounds memory. Default 2. */
  readonly ahead?: number;
}

/** Batches that are decoded in the background during training: the asynchronous form of `Batches` of `@localgrad/data`. */
export interface ImageBatches {
  readonly samples: number;
  readonly batchSize: number;
  readonly batchesPerEpoch: number;
  readonly normalization: Normalization;
  epoch(epoch: number, fromSample?: number): AsyncIterable<DataBatch>;
  stream(from?: BatchPosition): AsyncIterable<DataBatch>;
}

/**
 * Creates batches of images that a bounded number of workers decodes in advance. Order and augmentation depend only on seed,
 * epoch and sample: they are equal for any number of workers, any batch size (except that `classesPerBatch` orders by
 * batches), and after resuming.
 *
 * @throws LocalgradError `invalid-option`; while iterating `missing-dependency`, `invalid-data`
 */
export function createImageBatches(source: EncodedImages, options: ImageBatchOptions): ImageBatches {
  checkOptions(source, options);
  const { batchSize, size, seed = 0, dropLast = false, channels = 3, shift, cutout } = options;
  const imageShape: Shape3 = [size, size, channels];
  const length = size * size * channels;
  const { normalization = normalizations.imagenet, workers = 4, ahead = 2 } = options;
  const usable = dropLast ? Math.floor(source.size / batchSize) * batchSize : source.size;
  const central = centralGeometry(size, options.shorter);
  const orderOf = createSampleOrder('createImageBatches', source, batchSize, options);

  const ruleFor = (epoch: number, sample: number): GeometryRule => {
    if (options.augmentation === undefined) return central;
    return trainingGeometry({ ...options.augmentation, size }, createRandom(seed, `augment/${epoch}/${sample}`));
  };

  const shifted = ({ bytes, map }: Sample, epoch: number, sample: number): Sample => {
    if (shift === undefined) return { bytes, ...(map === undefined ? {} : { map }) };
    const moved = (values: Uint8Array, shape: Shape3, fill: number) => {
      const target = new Uint8Array(values.length);
      augment(values, target, shape, shift, createRandom(seed, `augment/${epoch}/${sample}`), fill);
      return target;
    };
    return {
      bytes: moved(bytes, imageShape, 0),
      ...(map === undefined ? {} : { map: moved(map, [size, size, 1], unlabeled) }),
    };
  };

  async function* epochBatches(epoch: number, fromSample = 0): AsyncGenerator<DataBatch> {
    requireOption(Number.isInteger(epoch) && epoch >= 0, 'epoch', 'epoch', epoch, 'integers ≥ 0');
    const isPosition = Number.isInteger(fromSample) && fromSample >= 0 && fromSample <= usable;
    requireOption(isPosition, 'epoch', 'fromSample', fromSample, `integers from 0 to ${usable}`);
    const order = orderOf(epoch);
    const chosen = order.subarray(fromSample, usable);
    const decode = await createDecoder(channels);
    const decoded = inOrder(chosen.length, workers, ahead * batchSize, async (position) => {
      const sample = chosen[position] ?? 0;
      return shifted(await readSample(source, sample, decode, ruleFor(epoch, sample)), epoch, sample);
    });
    let batch: Sample[] = [];
    let start = fromSample;
    for await (const image of decoded) {
      batch.push(image);
      if (batch.length < batchSize && start + batch.length < usable) continue;
      const end = start + batch.length;
      const next = end >= usable ? { epoch: epoch + 1, sample: 0 } : { epoch, sample: end };
      yield assemble(batch, order.subarray(start, end), epoch, next);
      batch = [];
      start = end;
    }
  }

  /** Values of a batch, with the erased squares filled. */
  const valuesOf = (
    batch: readonly Sample[],
    samples: Uint32Array,
    epoch: number,
    of: Normalization,
    fill: readonly number[],
  ): tf.Tensor4D => {
    const values = new Float32Array(batch.length * length);
    for (const [index, { bytes }] of batch.entries()) {
      writeValues(bytes, values, index * length, of);
      if (cutout === undefined) continue;
      const rectangle = erasedRectangle(cutout, imageShape, seed, epoch, samples[index] ?? 0);
      erase(values, index * length, imageShape, rectangle, fill);
    }
    return tf.tensor4d(values, [batch.length, ...imageShape]);
  };

  function assemble(batch: readonly Sample[], samples: Uint32Array, epoch: number, next: BatchPosition): DataBatch {
    const { mean } = normalization;
    const zeros = mean.map(() => 0);
    const images = valuesOf(batch, samples, epoch, normalization, zeros);
    const plain = { mean: zeros, deviation: mean.map(() => 1) };
    const targets: Targets = {
      ...(source.labels.length === 0 ? {} : { labels: labelsOf(source.labels, samples) }),
      ...(source.maps === undefined ? {} : { masks: masksOf(batch, size) }),
      ...(options.withImages ? { images: valuesOf(batch, samples, epoch, plain, mean) } : {}),
    };
    const dispose = () => tf.dispose([images, ...Object.values(targets).filter((target) => target !== undefined)]);
    return { images, targets, size: batch.length, next, dispose };
  }

  return {
    samples: usable,
    batchSize,
    batchesPerEpoch: Math.ceil(usable / batchSize),
    normalization,
    epoch: epochBatches,
    async *stream(from = { epoch: 0, sample: 0 }) {
      yield* epochBatches(from.epoch, from.sample);
      for (let epoch = from.epoch + 1; ; epoch++) yield* epochBatches(epoch);
    },
  };
}

type Sample = Pick<DecodedSample, 'bytes' | 'map'>;

function labelsOf(labels: Int32Array, samples: Uint32Array): tf.Tensor1D {
  return tf.tensor1d(
    Int32Array.from(samples, (sample) => labels[sample] ?? 0),
    'int32',
  );
}

function masksOf(batch: readonly Sample[], size: number): tf.Tensor3D {
  const values = new Int32Array(batch.length * size * size);
  for (const [index, { map = [] }] of batch.entries()) values.set(map, index * size * size);
  return tf.tensor3d(values, [batch.length, size, size], 'int32');
}

/** (byte / 255 − mean) / deviation. */
function writeValues(bytes: Uint8Array, target: Float32Array, at: number, { mean, deviation }: Normalization): void {
  const channels = mean.length;
  for (let channel = 0; channel < channels; channel++) {
    const [center = 0, scale = 1] = [mean[channel], deviation[channel]];
    const table = Float32Array.from({ length: 256 }, (_, byte) => (byte / 255 - center) / scale);
    for (let index = channel; index < bytes.length; index += channels)
      target[at + index] = table[bytes[index] ?? 0] ?? 0;
  }
}

function checkOptions(source: EncodedImages, options: ImageBatchOptions): void {
  const where = 'createImageBatches';
  rejectUnknownKeys(where, options, [
    ...sampleOrderOptions,
    'batchSize',
    'size',
    'shorter',
    'augmentation',
    'shift',
    'cutout',
    'channels',
    'normalization',
    'dropLast',
    'withImages',
    'workers',
    'ahead',
  ]);
  const { batchSize, size, shorter, augmentation, workers = 4, ahead = 2 } = options;
  const isCount = (value: number) => Number.isInteger(value) && value >= 1;
  const isBatch = isCount(batchSize) && batchSize <= source.size;
  requireOption(isBatch, where, 'batchSize', batchSize, `integers from 1 to ${source.size}`);
  requireOption(isCount(size) && size <= 4096, where, 'size', size, 'integers from 1 to 4096');
  requireOption(isCount(workers) && workers <= 256, where, 'workers', workers, 'integers from 1 to 256');
  requireOption(isCount(ahead), where, 'ahead', ahead, 'integers ≥ 1');
  const isAlone = shorter === undefined || augmentation === undefined;
  requireOption(isAlone, where, 'shorter', shorter, 'undefined with augmentation, which crops at random');
  const { shift, cutout, channels = 3, normalization } = options;
  requireOption(channels === 1 || channels === 3, where, 'channels', channels, '1, 3');
  if (augmentation !== undefined) checkCrop(where, augmentation);
  const isOneKind = shift === undefined || augmentation === undefined;
  requireOption(isOneKind, where, 'shift', shift, 'undefined with augmentation, which crops at random');
  if (shift !== undefined) checkAugmentation(shift, [size, size, channels]);
  if (cutout !== undefined) checkCutout(cutout, [size, size, channels]);
  checkNormalization(where, normalization ?? normalizations.imagenet, channels);
}
