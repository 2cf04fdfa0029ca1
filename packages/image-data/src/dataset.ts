import { readdir, stat } from 'node:fs/promises';
import { LocalgradError, rejectUnknownKeys } from '@localgrad/core';
import { type DatasetOptions, type DatasetSplits, datasetNames, loadDataset, prepareSplits } from '@localgrad/data';
import { type EncodedSplits, takeEncoded } from './encoded-images.js';
import { imageFolder } from './image-folder.js';
import { imagenet, isImagenetFolder } from './imagenet.js';
import { isLabelMapFolder, labelMapFolder } from './label-maps/label-map-folder.js';
import { differentSizes, type LoadImagesOptions, loadImages } from './load-images.js';
import { parquetFolder } from './parquet/parquet.js';

export interface ImageDataOptions extends LoadImagesOptions {
  /** Folder with Parquet files, with one folder of images per class, with images and label maps, or with ImageNet's archives. */
  readonly folder: string;
  /** Fraction of each class held out as test images if the folder has none. Default 0.2. */
  readonly holdOut?: number;
  /** Seed that selects the held-out images. Default 0. */
  readonly seed?: number;
  /** Parquet: name of the label column. */
  readonly labels?: string;
  /** Number of training images to use, balanced across classes; others are not decoded. Default: all. */
  readonly train?: number;
  /** Number of test images to use. */
  readonly test?: number;
}

/** Finds the images of a folder in any supported layout, without decoding them. @throws LocalgradError */
export async function openImages(
  options: Omit<ImageDataOptions, keyof LoadImagesOptions | 'train' | 'test'>,
): Promise<EncodedSplits> {
  const { folder, holdOut, seed, labels } = options;
  const found = await stat(folder).catch(() => undefined);
  if (found === undefined)
    throw new LocalgradError('missing-dependency', `There is no folder '${folder}'.`, { folder });
  if (!found.isDirectory()) {
    throw new LocalgradError('invalid-data', `'${folder}' is not a folder. Expected a folder of images.`, { folder });
  }
  const split = { ...(holdOut === undefined ? {} : { holdOut }), ...(seed === undefined ? {} : { seed }) };
  const names = await readdir(folder);
  if (names.some((name) => name.endsWith('.parquet'))) {
    return parquetFolder({ folder, ...split, ...(labels === undefined ? {} : { labels }) });
  }
  if (isLabelMapFolder(names)) return labelMapFolder({ folder, ...split });
  return isImagenetFolder(names) ? imagenet({ folder }) : imageFolder({ folder, ...split });
}

/** @throws LocalgradError `invalid-data` */
export function requireTestImages(folder: string, { test }: EncodedSplits): void {
  if (test.size > 0) return;
  const message = `Folder '${folder}' has no test images: no class has two images, so none can be held out. Add images, or a folder 'test'.`;
  throw new LocalgradError('invalid-data', message, { folder });
}

/** Default size for images of different sizes. */
const defaultSize = 64;

/**
 * Decodes the images of a folder into memory: a data set for `createBatches` and, as the package's export `dataset`, for
 * configs. Images of different sizes are resized to `size`, default 64.
 *
 * @throws LocalgradError `invalid-option`, `missing-dependency`, `invalid-data`
 */
export async function dataset(options: ImageDataOptions): Promise<DatasetSplits> {
  rejectUnknownKeys('image data', options, [
    'folder',
    'holdOut',
    'seed',
    'labels',
    'size',
    'channels',
    'workers',
    'train',
    'test',
  ]);
  const { folder, holdOut, seed, labels, train, test, ...load } = options;
  const open = Object.fromEntries(Object.entries({ holdOut, seed, labels }).filter(([, value]) => value !== undefined));
  const all = await openImages({ folder, ...open });
  requireTestImages(folder, all);
  const images = { train: takeEncoded(all.train, 'train', train), test: takeEncoded(all.test, 'test', test) };
  const counts = { ...(train === undefined ? {} : { train }), ...(test === undefined ? {} : { test }) };
  const decode = async (how: LoadImagesOptions): Promise<DatasetSplits> => {
    const { workers: _, ...identity } = how;
    return {
      config: { dataset: 'images', ...open, ...counts, ...identity },
      train: await loadImages(images.train, how),
      test: await loadImages(images.test, how),
    };
  };
  try {
    const splits = await decode(load);
    const isAlike = `${splits.train.imageShape}` === `${splits.test.imageShape}`;
    return isAlike ? splits : await decode({ ...load, size: defaultSize });
  } catch (error) {
    if (load.size === undefined && LocalgradError.isInstance(error) && error.details.reason === differentSizes) {
      return decode({ ...load, size: defaultSize });
    }
    throw error;
  }
}

/** Whether the name of a data set is a path: it starts with `./`, `../`, `/` or a drive. */
export function isFolderPath(name: string): boolean {
  return /^(?:\.{0,2}[/\\]|[A-Za-z]:[/\\])/.test(name) || name === '.' || name === '..';
}

/** @throws LocalgradError `unknown-name` */
async function rejectPathWithoutDot(name: string): Promise<void> {
  const found = await stat(name).catch(() => undefined);
  if (found?.isDirectory() !== true) return;
  throw new LocalgradError('unknown-name', `There is no data set '${name}'. For the folder, write './${name}'.`, {
    name,
  });
}

/**
 * Loads a data set by name, or the images of a folder by path (`./photos`), with the same preparation. For a folder, `resize`
 * is the `size` of the decoded images.
 *
 * @throws LocalgradError
 */
export async function loadNamedOrFolder(name: string, options: DatasetOptions = {}): Promise<DatasetSplits> {
  if (!isFolderPath(name)) {
    if (!datasetNames.includes(name)) await rejectPathWithoutDot(name);
    return loadDataset(name, options);
  }
  rejectUnknownKeys(`data set '${name}'`, options, ['resize', 'pad', 'channels', 'train', 'test']);
  const { resize, channels, ...rest } = options;
  const decoding = {
    ...(resize === undefined ? {} : { size: resize }),
    ...(channels === undefined ? {} : { channels }),
  };
  return prepareSplits(await dataset({ folder: name, ...decoding }), rest);
}
