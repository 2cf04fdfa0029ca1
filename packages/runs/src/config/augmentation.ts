import { augmentations, type BatchOptions, type Pipeline, pipelines } from '@localgrad/data';
import type { RunConfig } from './run-config.js';

const published: Readonly<Record<string, Pipeline>> = pipelines;

/** Augmentation and normalization of the training images: of the config's `pipeline`, or by `augment`. */
export function preparationOf({
  augment,
  pipeline: name,
}: Pick<RunConfig, 'augment' | 'pipeline'>): Pick<BatchOptions, 'augmentation' | 'cutout' | 'normalization'> {
  const pipeline = name === undefined ? undefined : published[name];
  if (pipeline === undefined) return { augmentation: augmentations[augment] };
  const { augmentation, cutout, normalization } = pipeline;
  return {
    augmentation,
    ...(cutout === undefined ? {} : { cutout }),
    ...(normalization === 'measured' ? {} : { normalization }),
  };
}
