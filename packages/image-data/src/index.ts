export { dataset, type ImageDataOptions, isFolderPath, loadNamedOrFolder, openImages } from './dataset.js';
export type { EncodedImages, EncodedMaps, EncodedSplits } from './encoded-images.js';
export { type CropOptions, randomRegion } from './geometry.js';
export { createImageBatches, type ImageBatches, type ImageBatchOptions } from './image-batches.js';
export { type ImageFolderOptions, imageFolder } from './image-folder.js';
export { type ImageProblems, imageProblems } from './image-problems.js';
export { type ImagenetOptions, imagenet } from './imagenet.js';
export { type LabelMapFolderOptions, labelMapFolder } from './label-maps/label-map-folder.js';
export type { LabelMap } from './label-maps/png-values.js';
export { type LoadImagesOptions, loadImages, mostBytes } from './load-images.js';
export { becomesClass, isInside } from './output-path.js';
export { type ParquetOptions, parquetFolder } from './parquet/parquet.js';
export { cityscapesPipeline, type ImagePipeline, imagenetPipeline, imagePipelines } from './pipelines.js';
export type { CropAugmentation } from './sample-reader.js';
export type { ColorDistortionOptions } from './scaled-crops/color-distortion.js';
export type { ScaledCropOptions } from './scaled-crops/scaled-crop.js';
export {
  holdOutStreamed,
  measureStreamed,
  type StreamedImages,
  type StreamedSplits,
  type StreamOptions,
  sampleIndices,
  streamImages,
} from './streamed-images.js';
