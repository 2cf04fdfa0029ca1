import type { JsonObject } from '@localgrad/core';
import { prepareSplits } from '@localgrad/data';
import {
  dataset as decodeImages,
  mostBytes,
  openImages,
  type StreamedSplits,
  streamImages,
} from '@localgrad/image-data';
import { photographPipelineOf } from './config/augmentation.js';
import { configError } from './config/config-error.js';
import type { ImageFolder } from './config/image-folder.js';
import type { RunConfig } from './config/run-config.js';
import type { RunSplits } from './run-images.js';

type FolderConfig = Pick<
  RunConfig,
  'dataset' | 'decode' | 'pipeline' | 'resize' | 'pad' | 'trainImages' | 'testImages'
>;

/** The images of a folder: decoded into memory at their final size, or prepared to be decoded during training. */
export async function loadFolder({ folder, options }: ImageFolder, config: FolderConfig): Promise<RunSplits> {
  const { resize, pad, trainImages, testImages } = config;
  const counts = withValues({ train: trainImages, test: testImages });
  if (await isDecodedDuringTraining(folder, options, config)) return stream(folder, options, config, counts);
  const decoded = await decodeImages({ ...options, folder, ...withValues({ size: resize }), ...counts });
  return prepareSplits(decoded, withValues({ pad }));
}

async function isDecodedDuringTraining(folder: string, options: JsonObject, config: FolderConfig): Promise<boolean> {
  const { decode, pipeline, resize, trainImages = Number.POSITIVE_INFINITY } = config;
  if (photographPipelineOf(config) !== undefined) {
    if (decode !== 'before') return true;
    throw configError(
      'decode',
      `'before' cannot be combined with pipeline '${pipeline}', which crops while it decodes.`,
    );
  }
  if (decode !== 'auto' || resize === undefined) return decode === 'during';
  const channels = options.channels === 1 ? 1 : 3;
  const { train } = await openImages({ ...options, folder });
  return Math.min(train.size, trainImages) * resize * resize * channels > mostBytes;
}

function stream(
  folder: string,
  options: JsonObject,
  config: FolderConfig,
  counts: Readonly<Record<string, number>>,
): Promise<StreamedSplits> {
  const pipeline = photographPipelineOf(config);
  const { resize: size = pipeline?.train.size, pad, dataset } = config;
  if (pad !== undefined) throw configError('pad', 'has no effect on images that are decoded during training; omit it.');
  if (size === undefined) {
    throw configError('resize', `not given; images of '${dataset}' that are decoded during training need a size.`);
  }
  // At another size, the central crop keeps its fraction of the image.
  const { size: published = size, shorter = size } = pipeline?.test ?? {};
  const { size: _size, workers: _workers, ...open } = options;
  return streamImages({ ...open, folder, size, shorter: Math.round((shorter * size) / published), ...counts });
}

/** Omits options that are undefined. */
export function withValues(options: Readonly<Record<string, number | undefined>>): Readonly<Record<string, number>> {
  return Object.fromEntries(
    Object.entries(options).flatMap(([key, value]) => (value === undefined ? [] : [[key, value]])),
  );
}
