import { holdOut } from '@localgrad/data';
import { holdOutStreamed } from '@localgrad/image-data';
import { configError } from './config/config-error.js';
import { areStreamed, type RunImages, type RunSplits, type RunSplitsOf } from './run-images.js';

/**
 * Splits of a run with a fraction of the training images of each class held out. The seed of a run has no influence, so that all
 * runs of a sweep choose by the same images.
 *
 * @throws LocalgradError about the key `validation`, if no image can be held out
 */
export function holdOutValidation(splits: RunSplits, fraction: number | undefined): RunSplits {
  if (fraction === undefined) return splits;
  return areStreamed(splits)
    ? withHeldOut(splits, (train) => holdOutStreamed(train, fraction))
    : withHeldOut(splits, (train) => holdOut(train, fraction));
}

function withHeldOut<Images extends RunImages>(
  { train: all, test }: RunSplitsOf<Images>,
  split: (all: Images) => { readonly train: Images; readonly heldOut: Images },
): RunSplitsOf<Images> {
  const { train, heldOut: validation } = split(all);
  if (validation.size > 0) return { train, validation, test };
  throw configError('validation', `no image of '${all.name}' can be held out, since no class has two training images.`);
}
