import type { JsonObject } from '@localgrad/core';
import { type ImageSize, prepareSplits, sidesOf } from '@localgrad/data';
import {
  dataset as decodeImages,
  type ImagePipeline,
  mostBytes,
  openImages,
  type StreamedSplits,
  type StreamOptions,
  streamImages,
} from '@localgrad/image-data';
import { needsLabelMaps, photographPipelineOf } from './config/augmentation.js';
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
  const [height, width] = sidesOf(resize);
  return Math.min(train.size, trainImages) * height * width * channels > mostBytes;
}

async function stream(
  folder: string,
  options: JsonObject,
  config: FolderConfig,
  counts: Pick<StreamOptions, 'train' | 'test'>,
): Promise<StreamedSplits> {
  const pipeline = photographPipelineOf(config);
  const { resize: size = pipeline?.train.size, pad, dataset } = config;
  if (pad !== undefined) throw configError('pad', 'has no effect on images that are decoded during training; omit it.');
  if (size === undefined) {
    throw configError('resize', `not given; images of '${dataset}' that are decoded during training need a size.`);
  }
  const { size: _size, workers: _workers, ...open } = options;
  const shorter = pipeline === undefined ? undefined : shorterAt(size, pipeline);
  const images = await streamImages({ ...open, folder, size, ...withValues({ shorter }), ...counts });
  if (needsLabelMaps(pipeline) && images.train.targets === undefined) {
    throw configError(
      'pipeline',
      `'${config.pipeline}' crops images with label maps, but those of '${dataset}' have one class each; use a folder with label maps, or pipeline imagenet.`,
    );
  }
  return images;
}

/** At another size, the central crop of test images keeps its fraction of the image. */
function shorterAt(size: ImageSize, { test }: ImagePipeline): number | undefined {
  if (test.shorter === undefined || test.size === 'whole') return undefined;
  return Math.round((test.shorter * Math.min(...sidesOf(size))) / Math.min(...sidesOf(test.size)));
}

/** Options without the undefined ones. */
type WithValues<Options> = { readonly [Key in keyof Options]?: Exclude<Options[Key], undefined> };

/** Omits options that are undefined. */
export function withValues<Options extends object>(options: Options): WithValues<Options> {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as WithValues<Options>;
}
