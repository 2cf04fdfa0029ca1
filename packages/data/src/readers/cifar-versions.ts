import type { Distribution } from '../formats/members.js';

export type CifarName = 'cifar10' | 'cifar100';

/** A distribution of CIFAR. */
export interface CifarVersion {
  readonly distribution: Distribution;
  readonly format: 'binary' | 'python';
  /** Files of the training images, in order. */
  readonly train: readonly string[];
  readonly test: string;
  /** File with the names of the classes. */
  readonly names: string;
  readonly classes: number;
  /** Bytes of labels before the pixels of a binary record; the class is the last of them. */
  readonly labelBytes: number;
  /** Keys of a Python file. */
  readonly labelKey: string;
  readonly namesKey: string;
}

const batches = [1, 2, 3, 4, 5];
const mostBytes = 2 ** 28;

function version(options: Omit<CifarVersion, 'distribution'>, archive: string, inner: string): CifarVersion {
  const files = [...options.train, options.test, options.names];
  const members = Object.fromEntries(files.map((file) => [file, mostBytes]));
  return { ...options, distribution: { archives: [`${archive}.tar.gz`, `${archive}.tar`], inner, members } };
}

const cifar10 = { classes: 10, labelBytes: 1, labelKey: 'labels', namesKey: 'label_names' } as const;
const cifar100 = { classes: 100, labelBytes: 2, labelKey: 'fine_labels', namesKey: 'fine_label_names' } as const;

export const cifarVersions: Readonly<Record<CifarName, readonly CifarVersion[]>> = {
  cifar10: [
    version(
      {
        ...cifar10,
        format: 'binary',
        train: batches.map((batch) => `data_batch_${batch}.bin`),
        test: 'test_batch.bin',
        names: 'batches.meta.txt',
      },
      'cifar-10-binary',
      'cifar-10-batches-bin',
    ),
    version(
      {
        ...cifar10,
        format: 'python',
        train: batches.map((batch) => `data_batch_${batch}`),
        test: 'test_batch',
        names: 'batches.meta',
      },
      'cifar-10-python',
      'cifar-10-batches-py',
    ),
  ],
  cifar100: [
    version(
      { ...cifar100, format: 'binary', train: ['train.bin'], test: 'test.bin', names: 'fine_label_names.txt' },
      'cifar-100-binary',
      'cifar-100-binary',
    ),
    version(
      { ...cifar100, format: 'python', train: ['train'], test: 'test', names: 'meta' },
      'cifar-100-python',
      'cifar-100-python',
    ),
  ],
};
