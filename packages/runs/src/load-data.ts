import { LocalgradError } from '@localgrad/core';
import { checkDataset, type DatasetSplits, type ImageDataset, prepareSplits } from '@localgrad/data';
import { configError } from './config/config-error.js';
import { type NameOptions, resolveNames } from './config/resolve-names.js';
import type { RunConfig } from './config/run-config.js';

/** The images of a config. @throws LocalgradError about one key of the config where it is to blame */
export async function loadData(config: RunConfig, names: NameOptions = {}): Promise<DatasetSplits> {
  const { resize, pad, trainImages, testImages } = config;
  const splits = await readImages(config, names);
  checkDataset(splits.train);
  checkDataset(splits.test);
  checkCount('trainImages', trainImages, splits.train);
  checkCount('testImages', testImages, splits.test);
  checkPad(config, splits.train);
  const options = { resize, pad, train: trainImages, test: testImages };
  return prepareSplits(splits, Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)));
}

async function readImages({ dataset, dataFolder }: RunConfig, names: NameOptions): Promise<DatasetSplits> {
  const { catalog } = await resolveNames({ dataset }, names);
  try {
    return await catalog.dataset(dataset, { folder: dataFolder });
  } catch (error) {
    if (!LocalgradError.isInstance(error)) throw error;
    const isFolder = dataFolder !== undefined || error.details.option === 'folder';
    if (!isFolder || error.code === 'unknown-name') throw error;
    throw configError('dataFolder', error.message, { code: error.code, cause: error });
  }
}

function checkCount(key: 'trainImages' | 'testImages', count: number | undefined, { size }: ImageDataset): void {
  if (count !== undefined && count > size) throw configError(key, `${count}; allowed: 1 to ${size}`);
}

function checkPad({ pad, resize }: RunConfig, { imageShape: [height, width] }: ImageDataset): void {
  const least = resize ?? Math.max(height, width);
  if (pad !== undefined && pad < least)
    throw configError('pad', `${pad}; allowed: ${least} or more, the size of the images`);
}
