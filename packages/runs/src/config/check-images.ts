import { isStreamed, type RunImages, type RunSplits } from '../run-images.js';
import { photographPipelineOf, preparationOf } from './augmentation.js';
import { configError } from './config-error.js';
import { type RunConfig, runConfigSchema } from './run-config.js';

/**
 * Checks the options that depend on the size and number of images.
 *
 * @throws LocalgradError about `batch`, `classesPerBatch`, `accumulate`, `augment`, `cutout` or `pipeline`
 */
export function checkImages(config: RunConfig, { train }: RunSplits): void {
  const { batch, classesPerBatch, classesPerBatchEpochs, accumulate, augment, pipeline, cutout } = config;
  if (batch > train.size) {
    throw configError('batch', `${batch}; allowed: integers from 1 to ${train.size}, the number of training images.`);
  }
  if (classesPerBatch !== undefined) {
    const most = Math.min(batch, new Set(train.labels).size);
    const refuse = (why: string) => configError('classesPerBatch', `${classesPerBatch}; ${why}`);
    if (most === 0) throw refuse(`'${train.name}' has no labels; omit it.`);
    if (classesPerBatch > most) {
      throw refuse(`allowed: integers from 1 to ${most}, the smaller of the batch size and the number of classes.`);
    }
  } else if (classesPerBatchEpochs !== undefined) {
    throw configError(
      'classesPerBatchEpochs',
      'has no effect without classesPerBatch, since batches have any classes; omit it.',
      {
        mentions: ['classesPerBatch'],
      },
    );
  }
  if (photographPipelineOf(config) !== undefined && !isStreamed(train)) {
    throw configError(
      'pipeline',
      `'${pipeline}' crops photographs while it decodes them, but '${train.name}' is in memory; use a folder of images as the dataset.`,
    );
  }
  checkAccumulation({ accumulate, batch });
  if (pipeline !== undefined && augment !== runConfigSchema.shape.augment.parse(undefined)) {
    throw configError('augment', `has no effect with pipeline '${pipeline}', which augments images itself; omit it.`, {
      mentions: ['pipeline'],
    });
  }
  const { augmentation: { pad = 0 } = {}, normalization } = preparationOf(config);
  const key = pipeline === undefined ? 'augment' : 'pipeline';
  const side = smallestSide(train);
  if (pad >= side) {
    throw configError(
      key,
      `'${config[key]}' shifts images by up to ${pad} pixels, but they have only ${side}; use larger images.`,
    );
  }
  const [height, width, channels] = train.imageShape;
  const largestSquare = 2 * Math.max(height, width);
  if (cutout !== undefined && cutout > largestSquare) {
    const allowed = `integers from 1 to ${largestSquare}, twice the longer side of the images`;
    throw configError('cutout', `${cutout}; allowed: ${allowed}.`);
  }
  if (normalization !== undefined && normalization.mean.length !== channels) {
    throw configError(
      key,
      `'${config[key]}' normalizes images of ${normalization.mean.length} channels; those of '${train.name}' have ${channels}.`,
    );
  }
}

function smallestSide({ imageShape: [height, width] }: RunImages): number {
  return Math.min(height, width);
}

/** Each micro-batch needs at least one image. @throws LocalgradError `invalid-option` */
export function checkAccumulation({ accumulate, batch }: Pick<RunConfig, 'accumulate' | 'batch'>): void {
  if (accumulate <= batch) return;
  throw configError('accumulate', `${accumulate}; allowed: integers from 1 to ${batch}, the batch size.`);
}
