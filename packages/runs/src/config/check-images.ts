import { augmentations, type DatasetSplits, type ImageDataset } from '@localgrad/data';
import { configError } from './config-error.js';
import type { RunConfig } from './run-config.js';

/** Checks the options that depend on the image size and count. @throws LocalgradError about `batch` or `augment` */
export function checkImages({ batch, augment }: RunConfig, { train }: DatasetSplits): void {
  if (batch > train.size) {
    throw configError('batch', `${batch}; allowed: integers from 1 to ${train.size}, the number of training images.`);
  }
  const { pad = 0 }: { readonly pad?: number } = augmentations[augment];
  const side = smallestSide(train);
  if (pad >= side) {
    throw configError(
      'augment',
      `'${augment}' shifts images by up to ${pad} pixels, but they have only ${side}; use larger images.`,
    );
  }
}

function smallestSide({ imageShape: [height, width] }: ImageDataset): number {
  return Math.min(height, width);
}
