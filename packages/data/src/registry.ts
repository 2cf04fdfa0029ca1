import { LocalgradError, rejectUnknownKeys, requireOption, unknownName } from '@localgrad/core';
import { type DatasetSplits, type ImageDataset, take } from './dataset.js';
import { fashionMnist, fashionMnistSubset } from './fashion-mnist.js';
import type { ImageSize } from './image-size.js';
import { checkReaderOptions, namedReaders, type ReaderOptions } from './readers/named-readers.js';
import { padTo, replicateChannels, resizeTo } from './transforms.js';

export interface DatasetOptions extends ReaderOptions {
  /** Folder with the files, for data sets that are read from files. */
  readonly folder?: string;
  /** Height and width to which images are resized. */
  readonly resize?: ImageSize;
  /** Pad images with zeros to size×size. */
  readonly pad?: number;
  /** 3: repeat the channel of gray images. */
  readonly channels?: 1 | 3;
  /** Number of training and test images, balanced across classes. */
  readonly train?: number;
  readonly test?: number;
}

const loaders: Readonly<
  Record<string, (folder: string | undefined, options: ReaderOptions) => Promise<DatasetSplits>>
> = {
  'fashion-mnist-subset': (folder) => {
    if (folder !== undefined) {
      throw new LocalgradError(
        'invalid-option',
        "Data set 'fashion-mnist-subset' has no option 'folder': it is included in the package. To read files, use 'fashion-mnist'.",
        {
          where: "data set 'fashion-mnist-subset'",
          option: 'folder',
          allowed:
            "no folder for 'fashion-mnist-subset', which comes with the package; --dataset fashion-mnist reads one",
        },
      );
    }
    return fashionMnistSubset();
  },
  'fashion-mnist': (folder) => fashionMnist({ folder: folder ?? '/usr/share/datasets/fashion-mnist' }),
  ...namedReaders,
};

export const datasetNames: readonly string[] = Object.keys(loaders);

const preparationNames = [
  'resize',
  'pad',
  'channels',
  'train',
  'test',
  'extra',
  'fold',
] as const satisfies readonly (keyof DatasetOptions)[];

/**
 * Loads a data set by name and preprocesses it: subset, resize, pad, repeat the channel, in this order. Config and
 * folder together rebuild it; the folder is not part of the config, because it does not identify a run.
 *
 * @throws LocalgradError
 */
export async function loadDataset(name: string, options: DatasetOptions = {}): Promise<DatasetSplits> {
  const load = Object.hasOwn(loaders, name) ? loaders[name] : undefined;
  if (load === undefined) throw unknownName('data set', name, datasetNames);
  rejectUnknownKeys(`data set '${name}'`, options, ['folder', ...preparationNames]);
  checkReaderOptions(name, options);
  const { folder, ...prepared } = options;
  return prepareSplits(await load(folder, options), prepared);
}

/**
 * Prepares images for training: takes, resizes, pads, repeats the channel, in this order.
 *
 * @throws LocalgradError `invalid-option`
 */
export function prepareSplits(splits: DatasetSplits, options: Omit<DatasetOptions, 'folder'>): DatasetSplits {
  const { resize, pad, channels } = options;
  const where = `data set '${splits.train.name}'`;
  rejectUnknownKeys(where, options, preparationNames);
  requireOption(channels === undefined || channels === 1 || channels === 3, where, 'channels', channels, '1, 3');
  const prepare = (dataset: ImageDataset, part: 'train' | 'test'): ImageDataset => {
    const count = options[part];
    if (count !== undefined) {
      const isAllowed = Number.isInteger(count) && count >= 1 && count <= dataset.size;
      requireOption(isAllowed, where, `${part} images`, count, `1 to ${dataset.size}`);
    }
    let result = count === undefined ? dataset : take(dataset, count);
    if (resize !== undefined) result = resizeTo(result, resize);
    if (pad !== undefined) result = padTo(result, pad);
    if (channels === 3 && result.imageShape[2] === 1) result = replicateChannels(result, 3);
    requireOption(
      channels !== 1 || result.imageShape[2] === 1,
      where,
      'channels',
      channels,
      '3: its images have color',
    );
    return result;
  };
  return {
    config: { ...splits.config, ...options },
    train: prepare(splits.train, 'train'),
    test: prepare(splits.test, 'test'),
  };
}
