import { LocalgradError, rejectUnknownKeys, unknownName } from '@localgrad/core';
import { cifar10 } from './cifar10.js';
import { type DatasetSplits, type ImageDataset, take } from './dataset.js';
import { fashionMnist, fashionMnistSubset } from './fashion-mnist.js';
import { padTo, replicateChannels, resizeTo } from './transforms.js';

export interface DatasetOptions {
  /** Where the files are, for sets that are read from files. */
  readonly folder?: string;
  /** Resize images to size×size. */
  readonly resize?: number;
  /** Pad images with black to size×size. */
  readonly pad?: number;
  /** 3: repeat the channel of grey images. */
  readonly channels?: 1 | 3;
  /** Use this many training and test images, as many of each class. */
  readonly train?: number;
  readonly test?: number;
}

const loaders: Readonly<Record<string, (folder: string | undefined) => Promise<DatasetSplits>>> = {
  'fashion-mnist-subset': () => fashionMnistSubset(),
  'fashion-mnist': (folder) => fashionMnist({ folder: folder ?? '/usr/share/datasets/fashion-mnist' }),
  cifar10: (folder) => {
    if (folder === undefined) {
      throw new LocalgradError(
        'invalid-option',
        "Data set 'cifar10' needs option 'folder': where its binary files are.",
      );
    }
    return cifar10({ folder });
  },
};

export const datasetNames: readonly string[] = Object.keys(loaders);

/** Loads a data set by name, and prepares it. Its config rebuilds it. @throws LocalgradError */
export async function loadDataset(name: string, options: DatasetOptions = {}): Promise<DatasetSplits> {
  const load = loaders[name];
  if (load === undefined) throw unknownName('data set', name, datasetNames);
  rejectUnknownKeys(`data set '${name}'`, options, ['folder', 'resize', 'pad', 'channels', 'train', 'test']);
  const { folder, resize, pad, channels, train, test } = options;
  const splits = await load(folder);
  const prepare = (dataset: ImageDataset, count: number | undefined): ImageDataset => {
    let result = count === undefined ? dataset : take(dataset, count);
    if (resize !== undefined) result = resizeTo(result, resize);
    if (pad !== undefined) result = padTo(result, pad);
    if (channels === 3 && result.imageShape[2] === 1) result = replicateChannels(result, 3);
    return result;
  };
  const { folder: _, ...prepared } = options;
  return {
    config: { ...splits.config, ...prepared },
    train: prepare(splits.train, train),
    test: prepare(splits.test, test),
  };
}
