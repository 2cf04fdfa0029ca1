import { LocalgradError } from '@localgrad/core';
import { checkDataset, type DatasetSplits, prepareSplits } from '@localgrad/data';
import { configError } from './config/config-error.js';
import { inTermsOfKeys, keyErrorOf } from './config/option-keys.js';
import { type NameOptions, resolveNames } from './config/resolve-names.js';
import type { RunConfig } from './config/run-config.js';

/** The images of a config. @throws LocalgradError about one key of the config where it is to blame */
export async function loadData(config: RunConfig, names: NameOptions = {}): Promise<DatasetSplits> {
  const { resize, pad, trainImages, testImages } = config;
  const splits = await readImages(config, names);
  checkDataset(splits.train);
  checkDataset(splits.test);
  const options = { resize, pad, train: trainImages, test: testImages };
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
  return inTermsOfKeys(config, () => prepareSplits(splits, given));
}

async function readImages(config: RunConfig, names: NameOptions): Promise<DatasetSplits> {
  const { dataset, dataFolder } = config;
  const { catalog } = await resolveNames({ dataset }, names);
  try {
    return await catalog.dataset(dataset, { folder: dataFolder });
  } catch (error) {
    if (!LocalgradError.isInstance(error)) throw error;
    const isFolder = dataFolder !== undefined || error.details.option === 'folder';
    if (!isFolder || error.code === 'unknown-name') throw error;
    throw keyErrorOf(error, config) ?? configError('dataFolder', error.message, { code: error.code, cause: error });
  }
}
