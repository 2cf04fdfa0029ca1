import { type Normalization, normalizations } from '@localgrad/data';
import type { ImageBatchOptions } from './image-batches.js';

/** Preparation of photographs in a publication. */
export interface ImagePipeline {
  /** The publication. */
  readonly source: string;
  readonly normalization: Normalization;
  /** Options of `createImageBatches` for training and test images. */
  readonly train: Pick<ImageBatchOptions, 'size' | 'augmentation'>;
  readonly test: Pick<ImageBatchOptions, 'size' | 'shorter'>;
}

/** ImageNet in InfoPro, DGL, AugLocal, MLAAN, MAN and HPFF: random crops of 224, tested on the center of 256. */
export const imagenetPipeline: ImagePipeline = {
  source: 'InfoPro (Wang et al., ICLR 2021), and MLAAN, MAN and HPFF after it',
  normalization: normalizations.imagenet,
  train: { size: 224, augmentation: {} },
  test: { size: 224, shorter: 256 },
};

/** Pipelines of photographs by name. */
export const imagePipelines = { imagenet: imagenetPipeline } as const satisfies Record<string, ImagePipeline>;
