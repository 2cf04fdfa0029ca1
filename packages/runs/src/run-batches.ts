import { LocalgradError } from '@localgrad/core';
import { createBatches, type Normalization } from '@localgrad/data';
import type { Batch } from '@localgrad/engine';
import { createImageBatches, measureStreamed, type StreamedSplits } from '@localgrad/image-data';
import type { BatchSource } from '@localgrad/train';
import { photographPipelineOf, preparationOf } from './config/augmentation.js';
import type { RunConfig } from './config/run-config.js';
import { areStreamed, type RunSplits } from './run-images.js';

export interface RunBatches {
  readonly batches: BatchSource & { readonly normalization: Normalization };
  readonly testBatches: BatchSource;
}

/**
 * Training batches, shuffled and augmented, and test batches of a config.
 *
 * @param withImages whether a loss reads the images in [0, 1]
 */
export async function createRunBatches(config: RunConfig, splits: RunSplits, withImages: boolean): Promise<RunBatches> {
  if (areStreamed(splits)) return streamedBatches(config, splits, withImages);
  const { train, test } = splits;
  const { batch: batchSize, seed } = config;
  const batches = createBatches(train, { ...preparationOf(config), batchSize, shuffle: true, seed, withImages });
  const { normalization } = batches;
  return { batches, testBatches: createBatches(test, { batchSize: Math.min(batchSize, test.size), normalization }) };
}

async function streamedBatches(
  config: RunConfig,
  { train, test }: StreamedSplits,
  withImages: boolean,
): Promise<RunBatches> {
  const { batch: batchSize, seed, decodeWorkers: workers } = config;
  const [size, , channels] = train.imageShape;
  const { normalization: declared, augmentation: shift, cutout } = preparationOf(config);
  const normalization = declared ?? (await measureStreamed(train));
  const common = { size, channels: channels === 1 ? 1 : 3, normalization, workers } as const;
  const crops = photographPipelineOf(config)?.train.augmentation;
  const geometry =
    crops !== undefined
      ? { augmentation: crops }
      : {
          shorter: train.shorter,
          ...(shift === undefined ? {} : { shift }),
          ...(cutout === undefined ? {} : { cutout }),
        };
  return {
    batches: createImageBatches(train.encoded, { ...common, ...geometry, batchSize, shuffle: true, seed, withImages }),
    testBatches: createImageBatches(test.encoded, {
      ...common,
      shorter: test.shorter,
      batchSize: Math.min(batchSize, test.size),
    }),
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
