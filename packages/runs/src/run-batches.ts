import { LocalgradError } from '@localgrad/core';
import { createBatches, type ImageDataset, type Normalization, type SampleOrderOptions } from '@localgrad/data';
import type { Batch } from '@localgrad/engine';
import { createImageBatches, measureStreamed, type StreamedImages } from '@localgrad/image-data';
import type { BatchSource } from '@localgrad/train';
import { photographPipelineOf, preparationOf } from './config/augmentation.js';
import type { RunConfig } from './config/run-config.js';
import { areStreamed, type RunSplits, type RunSplitsOf } from './run-images.js';

export interface RunBatches {
  readonly batches: BatchSource & { readonly normalization: Normalization };
  readonly testBatches: BatchSource;
  /** Present if images are held out. */
  readonly validationBatches?: BatchSource;
}

/**
 * Training batches, shuffled and augmented, and batches of validation and test images of a config.
 *
 * @param withImages whether a loss reads the images in [0, 1]
 * @param given normalization in place of that of the config, or of the training images
 */
export async function createRunBatches(
  config: RunConfig,
  splits: RunSplits,
  withImages: boolean,
  given?: Normalization,
): Promise<RunBatches> {
  if (areStreamed(splits)) return streamedBatches(config, splits, withImages, given);
  const { train, validation, test } = splits;
  const { batch: batchSize } = config;
  const preparation = { ...preparationOf(config), ...(given === undefined ? {} : { normalization: given }) };
  const batches = createBatches(train, { ...preparation, ...orderOf(config), batchSize, withImages });
  const { normalization } = batches;
  const evaluated = (images: ImageDataset) =>
    createBatches(images, { batchSize: Math.min(batchSize, images.size), normalization });
  return {
    batches,
    testBatches: evaluated(test),
    ...(validation === undefined ? {} : { validationBatches: evaluated(validation) }),
  };
}

function orderOf({ seed, classesPerBatch, classesPerBatchEpochs }: RunConfig): SampleOrderOptions {
  return {
    shuffle: true,
    seed,
    ...(classesPerBatch === undefined ? {} : { classesPerBatch }),
    ...(classesPerBatchEpochs === undefined ? {} : { classesPerBatchEpochs }),
  };
}

async function streamedBatches(
  config: RunConfig,
  { train, validation, test }: RunSplitsOf<StreamedImages>,
  withImages: boolean,
  given: Normalization | undefined,
): Promise<RunBatches> {
  const { batch: batchSize, decodeWorkers: workers } = config;
  const [height, width, channels] = train.imageShape;
  const { normalization: declared, augmentation: shift, cutout } = preparationOf(config);
  const normalization = given ?? declared ?? (await measureStreamed(train));
  const common = { size: [height, width], channels: channels === 1 ? 1 : 3, normalization, workers } as const;
  const pipeline = photographPipelineOf(config);
  const crops = pipeline?.train.augmentation;
  const geometry =
    crops !== undefined
      ? { augmentation: crops }
      : { shorter: train.shorter, ...(shift === undefined ? {} : { shift }) };
  const training = { ...geometry, ...(cutout === undefined ? {} : { cutout }), ...orderOf(config) };
  // Held-out training images are cropped like test images. Whole images are evaluated one at a time, as in the reference code.
  const { shorter } = test;
  const evaluated = ({ encoded, size }: StreamedImages) =>
    pipeline?.test.size === 'whole'
      ? createImageBatches(encoded, { ...common, size: 'whole', batchSize: 1 })
      : createImageBatches(encoded, { ...common, shorter, batchSize: Math.min(batchSize, size) });
  return {
    batches: createImageBatches(train.encoded, { ...common, ...training, batchSize, withImages }),
    testBatches: evaluated(test),
    ...(validation === undefined ? {} : { validationBatches: evaluated(validation) }),
  };
}

/** Uses the first batch of a run, which any epoch yields again. */
export async function withFirstBatch<Result>(
  batches: BatchSource,
  use: (batch: Batch) => Promise<Result>,
): Promise<Result> {
  for await (const batch of batches.epoch(0)) {
    try {
      return await use(batch);
    } finally {
      batch.dispose();
    }
  }
  throw new LocalgradError('invalid-data', 'The training set has no batch.');
}
