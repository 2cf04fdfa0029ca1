import { currentKernels, stockKernels } from '@localgrad/kernels';

/** Optional operations that need fewer maps than those they replace. */
type SavingOperation =
  | 'conv2dInputGradientInPlace'
  | 'conv2dActivatedFilterGradient'
  | 'pooledBatchNormGradient'
  | 'attention'
  | 'attentionGradient'
  | 'gelu'
  | 'geluGradient';

/**
 * Whether predictions of peak bytes count on an operation: that of the current backend's kernels decides. Where a plan is only
 * described, on a backend without kernels, predictions are those of backends that have all of them.
 */
export function savesMap(operation: SavingOperation): boolean {
  const kernels = currentKernels();
  return kernels === stockKernels || kernels[operation] !== undefined;
}
