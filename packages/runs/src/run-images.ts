import type { DatasetSplits, ImageDataset } from '@localgrad/data';
import type { StreamedImages, StreamedSplits } from '@localgrad/image-data';

/** Images of a run: in memory, or decoded during training. */
export type RunImages = ImageDataset | StreamedImages;

/** Training and test images of a run. */
export type RunSplits = Pick<DatasetSplits, 'train' | 'test'> | StreamedSplits;

export function areStreamed(splits: RunSplits): splits is StreamedSplits {
  return isStreamed(splits.train);
}

export function isStreamed(images: RunImages): images is StreamedImages {
  return 'encoded' in images;
}
