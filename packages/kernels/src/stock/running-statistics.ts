import type { BatchStatistics, RunningStatistics } from '../training-kernels.js';
import { blend } from './optimizers.js';

/**
 * Factors of batch statistics in running ones. As in PyTorch, the running variance is the unbiased one.
 *
 * @param count values per channel: batch · height · width
 */
export function runningFactors(kept: number, count: number): { readonly mean: number; readonly variance: number } {
  const added = 1 - kept;
  return { mean: added, variance: added * (count > 1 ? count / (count - 1) : 1) };
}

/** The running statistics after a batch, composed from stock operations. */
export function moveStatistics(
  { mean, variance, kept }: RunningStatistics,
  batch: BatchStatistics,
  count: number,
): Omit<RunningStatistics, 'kept'> {
  const added = runningFactors(kept, count);
  return {
    mean: blend({ average: mean, value: batch.mean, kept, added: added.mean }),
    variance: blend({ average: variance, value: batch.variance, kept, added: added.variance }),
  };
}
