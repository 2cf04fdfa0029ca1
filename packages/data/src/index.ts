export type { DownloadOptions, DownloadProgress } from '@localgrad/core/downloads';
export { type ArrayImages, datasetFromArrays, type ImageValues } from './arrays.js';
export { type Augmentation, augment, augmentations, checkAugmentation } from './augmentation.js';
export { type Batches, type BatchOptions, type BatchPosition, createBatches, type DataBatch } from './batches.js';
export { checkDataset, checkSplits } from './check-dataset.js';
export { cifar10 } from './cifar10.js';
export { type ClassCount, classCounts } from './class-counts.js';
export { type ContactSheetOptions, contactSheet } from './contact-sheet.js';
export { type ConvertOptions, type ConvertReport, convertToFolder } from './convert.node.js';
export { type Cutout, checkCutout, erase, erasedRectangle } from './cutout.js';
export {
  balancedIndices,
  type DatasetSplits,
  type DatasetTarget,
  type ImageDataset,
  type TakeOptions,
  take,
} from './dataset.js';
export { type FolderOptions, fashionClasses, fashionMnist, fashionMnistSubset } from './fashion-mnist.js';
export { datasetFolder, fetchDataset } from './fetch.node.js';
export { damaged } from './files.js';
export type { FileOrigin, SequentialReader } from './formats/byte-reader.js';
export { matlabStructs } from './formats/mat5-structs.js';
export { readArchiveMembers } from './formats/members.js';
export { type TarEntry, tarEntries } from './formats/tar.js';
export { type ImageSize, requireSize, sidesOf } from './image-size.js';
export {
  type Pipeline,
  type PipelineBatchOptions,
  type PipelineName,
  pipelineBatches,
  pipelineNames,
  pipelines,
} from './pipelines.js';
export { type ByteImage, encodePng } from './png.js';
export { readCifar } from './readers/cifar-archive.js';
export type { CifarName } from './readers/cifar-versions.js';
export { kmnist, mnist } from './readers/mnist.js';
export { type Stl10Options, stl10 } from './readers/stl10.js';
export { type SvhnOptions, svhn } from './readers/svhn.js';
export { type DatasetOptions, datasetNames, loadDataset, prepareSplits } from './registry.js';
export { createSampleOrder, type SampleOrderOptions, sampleOrderOptions } from './sample-order.js';
export { holdOut, type SplitOptions, stratifiedSplit, takePerClass } from './splits.js';
export type { FetchedFile, FetchOptions, FetchReport } from './store/fetch-dataset.js';
export { type DatasetSource, datasetSource, datasetSources, type SourceFile } from './store/sources.js';
export {
  checkNormalization,
  measuredNormalization,
  measureNormalization,
  type Normalization,
  normalizations,
  padTo,
  replicateChannels,
  resizeTo,
} from './transforms.js';
