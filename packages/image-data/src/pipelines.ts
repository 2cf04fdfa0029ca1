import { type ImageSize, type Normalization, normalizations } from '@localgrad/data';
import type { ImageBatchOptions } from './image-batches.js';

/** Preparation of photographs in a publication. */
export interface ImagePipeline {
  /** The publication. */
  readonly source: string;
  readonly normalization: Normalization;
  /** Options of `createImageBatches` for training and test images. */
  readonly train: Pick<ImageBatchOptions, 'augmentation'> & { readonly size: ImageSize };
  readonly test: Pick<ImageBatchOptions, 'size' | 'shorter'>;
}

/** ImageNet in InfoPro, DGL, AugLocal, MLAAN, MAN and HPFF: random crops of 224, tested on the center of 256. */
export const imagenetPipeline: ImagePipeline = {
  source: 'InfoPro (Wang et al., ICLR 2021), and MLAAN, MAN and HPFF after it',
  normalization: normalizations.imagenet,
  train: { size: 224, augmentation: {} },
  test: { size: 224, shorter: 256 },
};

/** Cityscapes in InfoPro, by MMSegmentation: scaled random crops of 512×1024, tested on whole images. Needs label maps. */
export const cityscapesPipeline: ImagePipeline = {
  source: 'InfoPro (Wang et al., ICLR 2021), in MMSegmentation 0.x',
  normalization: normalizations.imagenet,
  train: { size: [512, 1024], augmentation: { crops: 'scaled' } },
  test: { size: 'whole' },
};

/** Pipelines of photographs by name. */
export const imagePipelines = {
  imagenet: imagenetPipeline,
  cityscapes: cityscapesPipeline,
} as const satisfies Record<string, ImagePipeline>;
