import { LocalgradError } from '@localgrad/core';
import { cifar10 } from '../cifar10.js';
import type { DatasetSplits } from '../dataset.js';
import { datasetFolder } from '../fetch.node.js';
import { findCifar, readCifar } from './cifar-archive.js';
import { kmnist, mnist } from './mnist.js';
import { stl10 } from './stl10.js';
import { svhn } from './svhn.js';

/** Options of individual data sets. */
export interface ReaderOptions {
  /** `svhn`: append the 531,131 images of `extra` to the training set. */
  readonly extra?: boolean;
  /** `stl10`: train on one of the ten published folds, 0 to 9. */
  readonly fold?: number;
}

interface NamedReader {
  /** Files in the folder, for messages. */
  readonly files: string;
  readonly options?: readonly (keyof ReaderOptions)[];
  read(folder: string, options: ReaderOptions): Promise<DatasetSplits>;
}

const readers: Readonly<Record<string, NamedReader>> = {
  cifar10: {
    files: 'cifar-10-binary.tar.gz, cifar-10-python.tar.gz or its unpacked files',
    read: async (folder) =>
      (await findCifar('cifar10', folder)) === undefined ? cifar10({ folder }) : readCifar('cifar10', folder),
  },
  cifar100: {
    files: 'cifar-100-binary.tar.gz, cifar-100-python.tar.gz or its unpacked files',
    read: (folder) => readCifar('cifar100', folder),
  },
  svhn: {
    files: 'train_32x32.mat and test_32x32.mat',
    options: ['extra'],
    read: (folder, { extra }) => svhn({ folder, ...(extra === undefined ? {} : { extra }) }),
  },
  stl10: {
    files: 'stl10_binary.tar.gz or its unpacked files',
    options: ['fold'],
    read: (folder, { fold }) => stl10({ folder, ...(fold === undefined ? {} : { fold }) }),
  },
  mnist: { files: 'its four IDX files', read: (folder) => mnist({ folder }) },
  kmnist: { files: 'its four IDX files', read: (folder) => kmnist({ folder }) },
};

type Loader = (folder: string | undefined, options: ReaderOptions) => Promise<DatasetSplits>;

/** Loaders of data sets in their original formats, by name. */
export const namedReaders: Readonly<Record<string, Loader>> = Object.fromEntries(
  Object.entries(readers).map(([name, reader]): [string, Loader] => [
    name,
    async (given, options) => {
      const folder = given ?? (await fetchedFolder(name));
      if (folder === undefined) {
        throw new LocalgradError(
          'invalid-option',
          `Data set '${name}' needs option 'folder': a folder with ${reader.files}. Or download them: localgrad data fetch ${name}.`,
          { where: `data set '${name}'`, option: 'folder', allowed: `a folder with ${reader.files}` },
        );
      }
      return reader.read(folder, options);
    },
  ]),
);

/** The folder of the files that `localgrad data fetch` downloaded. */
async function fetchedFolder(name: string): Promise<string | undefined> {
  const { access } = await import('node:fs/promises');
  const folder = await datasetFolder(name);
  return access(folder).then(
    () => folder,
    () => undefined,
  );
}

/** Throws `invalid-option` if an option belongs to another data set. */
export function checkReaderOptions(name: string, options: ReaderOptions): void {
  for (const key of ['extra', 'fold'] as const) {
    if (options[key] !== undefined && !readers[name]?.options?.includes(key)) {
      const owner = key === 'extra' ? 'svhn' : 'stl10';
      const message = `Data set '${name}' has no option '${key}'; data set '${owner}' has.`;
      throw new LocalgradError('invalid-option', message, { name, option: key });
    }
  }
}
