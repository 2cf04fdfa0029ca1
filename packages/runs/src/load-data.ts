import { LocalgradError } from '@localgrad/core';
import { checkDataset, checkSplits, type DatasetOptions, type DatasetSplits, prepareSplits } from '@localgrad/data';
import { configError } from './config/config-error.js';
import { imageFolderOf } from './config/image-folder.js';
import { inTermsOfKeys, keyErrorOf } from './config/option-keys.js';
import { type NameOptions, resolveNames } from './config/resolve-names.js';
import type { RunConfig } from './config/run-config.js';
import { holdOutValidation } from './hold-out-validation.js';
import { loadFolder, withValues } from './load-folder.js';
import type { RunSplits } from './run-images.js';

/** The images of a config. @throws LocalgradError with the key of the config, if one is the cause */
export async function loadData(config: RunConfig, names: NameOptions = {}): Promise<RunSplits> {
  return holdOutValidation(await loadSplits(config, names), config.validation);
}

function loadSplits(config: RunConfig, names: NameOptions): Promise<RunSplits> {
  return inTermsOfKeys(config, async () => {
    const { dataset, dataFolder, decode, resize, pad, trainImages, testImages } = config;
    const options = { resize, pad, train: trainImages, test: testImages };
    const images = imageFolderOf(dataset, names.project);
    if (images === undefined) {
      if (decode !== 'auto')
        throw configError('decode', `has no effect on '${dataset}', which is not a folder of images; omit it.`);
      const splits = await readImages(config, names);
      checkDataset(splits.train);
      checkDataset(splits.test);
      const prepared = prepareSplits(splits, withValues(options));
      checkSplits(prepared);
      return prepared;
    }
    if (dataFolder !== undefined) {
      throw configError('dataFolder', `has no effect on '${dataset}', which is the folder itself; omit it.`);
    }
    const other = Object.keys(readerOptionsOf(config))[0];
    if (other !== undefined) throw configError(other, `has no effect on '${dataset}', a folder of images; omit it.`);
    return loadFolder(images, config);
  });
}

/** The keys of a config that `loadData` reads, for caches of data sets. */
export const dataKeys = [
  ...(['dataset', 'dataFolder', 'extra', 'fold', 'resize', 'pad', 'trainImages', 'testImages', 'validation'] as const),
  ...(['decode', 'pipeline'] as const),
] satisfies readonly (keyof RunConfig)[];

/** Options of single data sets, where they are set. */
function readerOptionsOf({ extra, fold }: RunConfig): Pick<DatasetOptions, 'extra' | 'fold'> {
  return { ...(extra ? { extra } : {}), ...(fold === undefined ? {} : { fold }) };
}

async function readImages(config: RunConfig, names: NameOptions): Promise<DatasetSplits> {
  const { dataset, dataFolder } = config;
  const readerOptions = readerOptionsOf(config);
  const { catalog } = await resolveNames({ dataset }, names);
  try {
    return await catalog.dataset(dataset, { folder: dataFolder, ...readerOptions });
  } catch (error) {
    if (!LocalgradError.isInstance(error)) throw error;
    const option = Object.keys(readerOptions).find((key) => key === error.details.option || key === error.details.key);
    if (option !== undefined) throw configError(option, error.message, { code: error.code, cause: error });
    const isFolder = dataFolder !== undefined || error.details.option === 'folder';
    if (!isFolder || error.code === 'unknown-name') throw error;
    throw keyErrorOf(error, config) ?? configError('dataFolder', error.message, { code: error.code, cause: error });
  }
}
