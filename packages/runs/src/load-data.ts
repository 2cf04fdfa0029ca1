import { LocalgradError } from '@localgrad/core';
import { checkDataset, type DatasetSplits, prepareSplits } from '@localgrad/data';
import { dataset as imageDataset } from '@localgrad/image-data';
import { configError } from './config/config-error.js';
import { imageFolderOf } from './config/image-folder.js';
import { inTermsOfKeys, keyErrorOf } from './config/option-keys.js';
import { type NameOptions, resolveNames } from './config/resolve-names.js';
import type { RunConfig } from './config/run-config.js';

/** The images of a config. @throws LocalgradError with the key of the config, if one is the cause */
export function loadData(config: RunConfig, names: NameOptions = {}): Promise<DatasetSplits> {
  return inTermsOfKeys(config, async () => {
    const { dataset, dataFolder, resize, pad, trainImages, testImages } = config;
    const options = { pad, train: trainImages, test: testImages };
    const images = imageFolderOf(dataset, names.project);
    if (images === undefined) {
      const splits = await readImages(config, names);
      checkDataset(splits.train);
      checkDataset(splits.test);
      return prepareSplits(splits, withValues({ resize, ...options }));
    }
    if (dataFolder !== undefined) {
      throw configError('dataFolder', `has no effect on '${dataset}', which is the folder itself; omit it.`);
    }
    // Images are decoded at their final size.
    const decoded = await imageDataset({ ...images.options, folder: images.folder, ...withValues({ size: resize }) });
    return prepareSplits(decoded, withValues(options));
  });
}

function withValues(options: Readonly<Record<string, number | undefined>>): Readonly<Record<string, number>> {
  return Object.fromEntries(
    Object.entries(options).flatMap(([key, value]) => (value === undefined ? [] : [[key, value]])),
  );
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
