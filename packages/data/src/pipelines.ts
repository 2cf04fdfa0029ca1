import { rejectUnknownKeys, unknownName } from '@localgrad/core';
import { type Augmentation, augmentations } from './augmentation.js';
import { type Batches, type BatchOptions, createBatches } from './batches.js';
import type { Cutout } from './cutout.js';
import type { DatasetSplits } from './dataset.js';
import { measuredNormalization, type Normalization, normalizations } from './transforms.js';

/** Preparation of a data set's images in a publication. */
export interface Pipeline {
  /** The publication. */
  readonly source: string;
  /** Augmentation of training images. */
  readonly augmentation: Augmentation;
  /** Cutout of training images, after augmentation and normalization. */
  readonly cutout?: Cutout;
  /** Normalization constants, or `measured` on the training images. */
  readonly normalization: Normalization | 'measured';
}

const infopro = 'InfoPro (Wang et al., ICLR 2021), DGL in its code, and MLAAN, MAN and HPFF after it';
const predsim = 'predsim (Nøkland and Eidnes, ICML 2019)';
const digit = (mean: number, deviation: number): Normalization => ({ mean: [mean], deviation: [deviation] });
const cropAndFlip: Augmentation = { pad: 4, padding: 'zero', flip: true };

/** The papers' pipelines by name. Images of one channel that become three need `normalization` per channel. */
export const pipelines = {
  cifar10: { source: infopro, augmentation: augmentations.cifar10, normalization: normalizations.cifar10 },
  svhn: { source: infopro, augmentation: augmentations.svhn, normalization: normalizations.half },
  stl10: { source: infopro, augmentation: augmentations.stl10, normalization: normalizations.half },
  'dgl-cifar10': {
    source: 'DGL (Belilovsky et al., ICML 2020), CIFAR-10 study',
    augmentation: cropAndFlip,
    normalization: { mean: [0.4914, 0.4822, 0.4465], deviation: [0.2023, 0.1994, 0.201] },
  },
  'predsim-cifar10': {
    source: predsim,
    augmentation: cropAndFlip,
    normalization: { mean: [0.424, 0.415, 0.384], deviation: [0.283, 0.278, 0.284] },
  },
  'predsim-cifar100': {
    source: predsim,
    augmentation: cropAndFlip,
    normalization: { mean: [0.438, 0.418, 0.377], deviation: [0.3, 0.287, 0.294] },
  },
  'predsim-svhn': {
    source: predsim,
    augmentation: {},
    normalization: { mean: [0.431, 0.43, 0.446], deviation: [0.197, 0.198, 0.199] },
  },
  'predsim-stl10': {
    source: predsim,
    augmentation: {},
    normalization: { mean: [0.447, 0.44, 0.407], deviation: [0.26, 0.257, 0.271] },
  },
  'predsim-mnist': {
    source: predsim,
    augmentation: { pad: 2, padding: 'zero' },
    normalization: digit(0.1307, 0.3081),
  },
  'predsim-fashion-mnist': {
    source: predsim,
    augmentation: augmentations['fashion-mnist'],
    normalization: digit(0.286, 0.353),
  },
  'predsim-kmnist': { source: predsim, augmentation: {}, normalization: digit(0.1904, 0.3475) },
} as const satisfies Record<string, Pipeline>;

export type PipelineName = keyof typeof pipelines;

export const pipelineNames: readonly string[] = Object.keys(pipelines);

export type PipelineBatchOptions = Pick<BatchOptions, 'batchSize' | 'seed' | 'dropLast' | 'withImages'> & {
  /** Batch size of test images. Default: `batchSize`, or all test images if there are fewer. */
  readonly testBatchSize?: number;
};

/** Creates training batches (shuffled, augmented) and test batches with a pipeline or its name. @throws LocalgradError */
export function pipelineBatches(
  { train, test }: DatasetSplits,
  pipeline: Pipeline | PipelineName,
  options: PipelineBatchOptions,
): { readonly train: Batches; readonly test: Batches } {
  rejectUnknownKeys('pipelineBatches', options, ['batchSize', 'seed', 'dropLast', 'withImages', 'testBatchSize']);
  const { testBatchSize = Math.min(options.batchSize, test.size), ...rest } = options;
  const chosen = typeof pipeline === 'string' ? named(pipeline) : pipeline;
  rejectUnknownKeys('pipeline', chosen, ['source', 'augmentation', 'cutout', 'normalization']);
  const { augmentation, cutout, normalization: declared } = chosen;
  const normalization = declared === 'measured' ? measuredNormalization(train) : declared;
  const trained = { ...rest, shuffle: true, augmentation, normalization };
  return {
    train: createBatches(train, cutout === undefined ? trained : { ...trained, cutout }),
    test: createBatches(test, { batchSize: testBatchSize, normalization }),
  };
}

function named(name: string): Pipeline {
  const found = Object.entries<Pipeline>(pipelines).find(([key]) => key === name)?.[1];
  if (found === undefined) throw unknownName('pipeline', name, pipelineNames);
  return found;
}
