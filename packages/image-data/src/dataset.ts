import { readdir, stat } from 'node:fs/promises';
import { LocalgradError, rejectUnknownKeys } from '@localgrad/core';
import type { DatasetSplits } from '@localgrad/data';
import type { EncodedSplits } from './encoded-images.js';
import { imageFolder } from './image-folder.js';
import { imagenet, isImagenetFolder } from './imagenet.js';
import { type LoadImagesOptions, loadImages } from './load-images.js';
import { parquetFolder } from './parquet.js';

export interface ImageDataOptions extends LoadImagesOptions {
  /** Folder with Parquet files, with one folder of images per class, or with ImageNet's archives. */
  readonly folder: string;
  /** Fraction of each class that is held out as test images where there are none. Default 0.2. */
  readonly holdOut?: number;
  /** Seed of the images that are held out. Default 0. */
  readonly seed?: number;
  /** Parquet: column of labels. */
  readonly labels?: string;
}

/** Finds the images of a folder, in whichever layout, without decoding them. @throws LocalgradError */
export async function openImages(options: Omit<ImageDataOptions, keyof LoadImagesOptions>): Promise<EncodedSplits> {
  const { folder, holdOut, seed, labels } = options;
  const isFolder = await stat(folder).then(
    (found) => found.isDirectory(),
    () => false,
  );
  if (!isFolder) throw new LocalgradError('missing-dependency', `There is no folder '${folder}'.`, { folder });
  const split = { ...(holdOut === undefined ? {} : { holdOut }), ...(seed === undefined ? {} : { seed }) };
  const names = await readdir(folder);
  if (names.some((name) => name.endsWith('.parquet'))) {
    return parquetFolder({ folder, ...split, ...(labels === undefined ? {} : { labels }) });
  }
  return isImagenetFolder(names) ? imagenet({ folder }) : imageFolder({ folder, ...split });
}

/**
 * The images of a folder, decoded into memory: a data set for `createBatches`, and, as the package's export `dataset`, for
 * configs.
 *
 * @throws LocalgradError `invalid-option`, `missing-dependency`, `invalid-data`
 */
export async function dataset(options: ImageDataOptions): Promise<DatasetSplits> {
  rejectUnknownKeys('image data', options, ['folder', 'holdOut', 'seed', 'labels', 'size', 'channels', 'workers']);
  const { folder, holdOut, seed, labels, ...load } = options;
  const open = Object.fromEntries(Object.entries({ holdOut, seed, labels }).filter(([, value]) => value !== undefined));
  const { train, test } = await openImages({ folder, ...open });
  const { workers: _, ...identity } = load;
  return {
    config: { dataset: 'images', ...open, ...identity },
    train: await loadImages(train, load),
    test: await loadImages(test, load),
  };
}
