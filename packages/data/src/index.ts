export { type Augmentation, augmentations } from './augmentation.js';
export { type Batches, type BatchOptions, type BatchPosition, createBatches, type DataBatch } from './batches.js';
export { cifar10 } from './cifar10.js';
export {
  checkDataset,
  type DatasetSplits,
  type DatasetTarget,
  type ImageDataset,
  type TakeOptions,
  take,
} from './dataset.js';
export { type FolderOptions, fashionClasses, fashionMnist, fashionMnistSubset } from './fashion-mnist.js';
export { type DatasetOptions, datasetNames, loadDataset, prepareSplits } from './registry.js';
export {
  measureNormalization,
  type Normalization,
  normalizations,
  padTo,
  replicateChannels,
  resizeTo,
} from './transforms.js';
