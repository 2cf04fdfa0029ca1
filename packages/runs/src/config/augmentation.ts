import { augmentations, type BatchOptions, type Pipeline, pipelines } from '@localgrad/data';
import { type ImagePipeline, imagePipelines } from '@localgrad/image-data';
import type { RunConfig } from './run-config.js';

const published: Readonly<Record<string, Pipeline>> = pipelines;
const ofPhotographs: Readonly<Record<string, ImagePipeline>> = imagePipelines;

/** The config's `pipeline` if it crops photographs while they are decoded. */
export function photographPipelineOf({ pipeline = '' }: Pick<RunConfig, 'pipeline'>): ImagePipeline | undefined {
  return Object.hasOwn(ofPhotographs, pipeline) ? ofPhotographs[pipeline] : undefined;
}

/** Whether a pipeline chooses crops by the classes of their pixels. */
export function needsLabelMaps(pipeline: ImagePipeline | undefined): boolean {
  const { augmentation = {} } = pipeline?.train ?? {};
  return 'crops' in augmentation;
}

/** Augmentation and normalization of the training images: of the config's `pipeline`, or by `augment`; and `cutout`. */
export function preparationOf({
  augment,
  pipeline: name,
  cutout: size,
}: Pick<RunConfig, 'augment' | 'pipeline' | 'cutout'>): Pick<
  BatchOptions,
  'augmentation' | 'cutout' | 'normalization'
> {
  const given = size === undefined ? {} : { cutout: { size } };
  const photographs = photographPipelineOf({ pipeline: name });
  if (photographs !== undefined) return { augmentation: {}, normalization: photographs.normalization, ...given };
  const pipeline = name === undefined ? undefined : published[name];
  if (pipeline === undefined) return { augmentation: augmentations[augment], ...given };
  const { augmentation, cutout, normalization } = pipeline;
  return {
    augmentation,
    ...(cutout === undefined ? {} : { cutout }),
    ...(normalization === 'measured' ? {} : { normalization }),
    ...given,
  };
}
