import { rejectUnknownKeys, requireOption, type Shape3, type Targets } from '@localgrad/core';
import {
  type Augmentation,
  type BatchPosition,
  type Cutout,
  checkAugmentation,
  checkCutout,
  checkNormalization,
  createSampleOrder,
  type DataBatch,
  erase,
  erasedRectangle,
  type ImageSize,
  type Normalization,
  normalizations,
  requireSize,
  type SampleOrderOptions,
  sampleOrderOptions,
  sidesOf,
} from '@localgrad/data';
import * as tf from '@tensorflow/tfjs';
import { type Channels, createDecoder } from './decode.js';
import type { EncodedImages } from './encoded-images.js';
import { checkCrop } from './geometry.js';
import { unlabeled } from './label-maps/label-map-folder.js';
import { inOrder } from './ordered-pool.js';
import type { DecodedSample } from './read-sample.js';
import { type CropAugmentation, createSampleReader, isScaled } from './sample-reader.js';
import { checkScaledCrops } from './scaled-crops/scaled-crop.js';

/** The seed is that of order and augmentation. */
export interface ImageBatchOptions extends SampleOrderOptions {
  readonly batchSize: number;
  /**
   * Height and width of the images, e.g. 224 or [512, 1024]; `whole`: as they are, for tests. A batch then ends early where the
   * next image has another size.
   */
  readonly size: ImageSize | 'whole';
  /**
   * Length of the shorter side before the central crop, e.g. 256. Default: that of `size`. For rectangles: images are resized
   * until they cover `size`, enlarged until its shorter side has this length. Not with `augmentation`.
   */
  readonly shorter?: number;
  /**
   * Random crops and flips of training images; `{}` is the ImageNet recipe, `{ crops: 'scaled' }` that of Cityscapes, which
   * needs label maps. Default: a central crop.
   */
  readonly augmentation?: CropAugmentation;
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
  /** At least; images of different sizes that are `whole` need more. */
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
  const { batchSize, size, seed = 0, dropLast = false, channels = 3, cutout } = options;
  const { normalization = normalizations.imagenet, workers = 4, ahead = 2 } = options;
  const usable = dropLast ? Math.floor(source.size / batchSize) * batchSize : source.size;
  const readSample = createSampleReader(source, options);
  const orderOf = createSampleOrder('createImageBatches', source, batchSize, options);

  async function* epochBatches(epoch: number, fromSample = 0): AsyncGenerator<DataBatch> {
    requireOption(Number.isInteger(epoch) && epoch >= 0, 'epoch', 'epoch', epoch, 'integers ≥ 0');
    const isPosition = Number.isInteger(fromSample) && fromSample >= 0 && fromSample <= usable;
    requireOption(isPosition, 'epoch', 'fromSample', fromSample, `integers from 0 to ${usable}`);
    const order = orderOf(epoch);
    const chosen = order.subarray(fromSample, usable);
    const decode = await createDecoder(channels);
    const decoded = inOrder(chosen.length, workers, ahead * batchSize, (position) =>
      readSample(decode, epoch, chosen[position] ?? 0),
    );
    let batch: DecodedSample[] = [];
    let start = fromSample;
    const complete = (): DataBatch => {
      const end = start + batch.length;
      const next = end >= usable ? { epoch: epoch + 1, sample: 0 } : { epoch, sample: end };
      const assembled = assemble(batch, order.subarray(start, end), epoch, next);
      batch = [];
      start = end;
      return assembled;
    };
    for await (const sample of decoded) {
      if (size === 'whole' && !batch.every(({ height, width }) => height === sample.height && width === sample.width)) {
        yield complete();
      }
      batch.push(sample);
      if (batch.length === batchSize || start + batch.length === usable) yield complete();
    }
  }

  /** Values of a batch; `fill`, one value per channel, is that of padding and erased squares. */
  const valuesOf = (
    batch: readonly DecodedSample[],
    imageShape: Shape3,
    samples: Uint32Array,
    epoch: number,
    of: Normalization,
    fill: readonly number[],
  ): tf.Tensor4D => {
    const [height, width] = imageShape;
    const length = height * width * channels;
    const values = new Float32Array(batch.length * length);
    for (const [index, sample] of batch.entries()) {
      const isPadded = sample.height < height || sample.width < width;
      if (isPadded) erase(values, index * length, imageShape, { top: 0, bottom: height, left: 0, right: width }, fill);
      writeValues(sample, values, index * length, width, of);
      if (cutout === undefined) continue;
      const rectangle = erasedRectangle(cutout, imageShape, seed, epoch, samples[index] ?? 0);
      erase(values, index * length, imageShape, rectangle, fill);
    }
    return tf.tensor4d(values, [batch.length, ...imageShape]);
  };

  function assemble(
    batch: readonly DecodedSample[],
    samples: Uint32Array,
    epoch: number,
    next: BatchPosition,
  ): DataBatch {
    const [height, width] = size === 'whole' ? [batch[0]?.height ?? 0, batch[0]?.width ?? 0] : sidesOf(size);
    const imageShape: Shape3 = [height, width, channels];
    const { mean } = normalization;
    const zeros = mean.map(() => 0);
    const images = valuesOf(batch, imageShape, samples, epoch, normalization, zeros);
    const plain = { mean: zeros, deviation: mean.map(() => 1) };
    const targets: Targets = {
      ...(source.labels.length === 0 ? {} : { labels: labelsOf(source.labels, samples) }),
      ...(source.maps === undefined ? {} : { masks: masksOf(batch, height, width) }),
      ...(options.withImages ? { images: valuesOf(batch, imageShape, samples, epoch, plain, mean) } : {}),
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

function labelsOf(labels: Int32Array, samples: Uint32Array): tf.Tensor1D {
  return tf.tensor1d(
    Int32Array.from(samples, (sample) => labels[sample] ?? 0),
    'int32',
  );
}

/** Classes of the pixels; padding has none. */
function masksOf(batch: readonly DecodedSample[], height: number, width: number): tf.Tensor3D {
  const values = new Int32Array(batch.length * height * width).fill(unlabeled);
  for (const [index, { map = new Uint8Array(0), ...sample }] of batch.entries()) {
    for (let row = 0; row < sample.height; row++) {
      const line = map.subarray(row * sample.width, (row + 1) * sample.width);
      values.set(line, (index * height + row) * width);
    }
  }
  return tf.tensor3d(values, [batch.length, height, width], 'int32');
}

/** Writes (byte / 255 − mean) / deviation of an image into the upper left part of one of `width`. */
function writeValues(
  sample: DecodedSample,
  target: Float32Array,
  at: number,
  width: number,
  { mean, deviation }: Normalization,
): void {
  const channels = mean.length;
  const length = sample.width * channels;
  for (let channel = 0; channel < channels; channel++) {
    const [center = 0, scale = 1] = [mean[channel], deviation[channel]];
    const table = Float32Array.from({ length: 256 }, (_, byte) => (byte / 255 - center) / scale);
    for (let row = 0; row < sample.height; row++) {
      const offset = at + row * width * channels;
      const bytes = sample.bytes.subarray(row * length, (row + 1) * length);
      for (let index = channel; index < length; index += channels) {
        target[offset + index] = table[bytes[index] ?? 0] ?? 0;
      }
    }
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
  if (size !== 'whole') requireSize(where, 'size', size, 4096);
  requireOption(isCount(workers) && workers <= 256, where, 'workers', workers, 'integers from 1 to 256');
  requireOption(isCount(ahead), where, 'ahead', ahead, 'integers ≥ 1');
  const isAlone = shorter === undefined || augmentation === undefined;
  requireOption(isAlone, where, 'shorter', shorter, 'undefined with augmentation, which crops at random');
  const { shift, cutout, channels = 3, normalization } = options;
  requireOption(channels === 1 || channels === 3, where, 'channels', channels, '1, 3');
  if (augmentation !== undefined) checkAugmentationOf(source, augmentation, channels);
  const isOneKind = shift === undefined || augmentation === undefined;
  requireOption(isOneKind, where, 'shift', shift, 'undefined with augmentation, which crops at random');
  if (size === 'whole') {
    for (const [option, value] of Object.entries({ shorter, augmentation, shift, cutout })) {
      requireOption(value === undefined, where, option, value, "undefined with size 'whole'");
    }
  } else {
    const imageShape: Shape3 = [...sidesOf(size), channels];
    if (shift !== undefined) checkAugmentation(shift, imageShape);
    if (cutout !== undefined) checkCutout(cutout, imageShape);
  }
  checkNormalization(where, normalization ?? normalizations.imagenet, channels);
}

function checkAugmentationOf({ maps, name }: EncodedImages, augmentation: CropAugmentation, channels: number): void {
  const where = 'createImageBatches';
  if (!isScaled(augmentation)) {
    checkCrop(where, augmentation);
    return;
  }
  const { crops } = augmentation;
  requireOption(crops === 'scaled', `${where}, augmentation`, 'crops', crops, "'scaled', or no 'crops'");
  const allowed = `undefined for '${name}', whose images have no label maps`;
  requireOption(maps !== undefined, `${where}, augmentation`, 'crops', crops, allowed);
  checkScaledCrops(where, augmentation, channels);
}
