import type { ImageDataset } from '@localgrad/data';
import type { StreamedImages } from '@localgrad/image-data';

/** Images of a run: in memory, or decoded during training. */
export type RunImages = ImageDataset | StreamedImages;

/** Training and test images of a run, and those held out from training, if any. */
export type RunSplits = RunSplitsOf<ImageDataset> | RunSplitsOf<StreamedImages>;

/** Images of one kind. */
export interface RunSplitsOf<Images extends RunImages> {
  readonly train: Images;
  readonly validation?: Images;
  readonly test: Images;
}

export function areStreamed(splits: RunSplits): splits is RunSplitsOf<StreamedImages> {
  return isStreamed(splits.train);
}

export function isStreamed(images: RunImages): images is StreamedImages {
  return 'encoded' in images;
}
