import { type Block, type BlockCost, bytesOf, type Want } from '@localgrad/core';
import { costOf } from './cost-of.js';

type VjpPeaks = Required<Pick<BlockCost, 'vjpPeakBytes' | 'sharedVjpPeakBytes'>>;

/**
 * Both peaks of a VJP from one function.
 *
 * @param peakBytes `isShared`: dy shares its buffer with a tensor that remains, so that nothing is freed with it
 */
export function vjpPeaks(peakBytes: (batchSize: number, want: Want, isShared: boolean) => number): VjpPeaks {
  return {
    vjpPeakBytes: (batchSize, want) => peakBytes(batchSize, want, false),
    sharedVjpPeakBytes: (batchSize, want) => peakBytes(batchSize, want, true),
  };
}

/** Peaks of a VJP that reads dy up to its last allocation: to free dy earlier would save nothing. */
export function vjpPeaksOfReader(peakBytes: (batchSize: number, want: Want) => number): VjpPeaks {
  return { vjpPeakBytes: peakBytes, sharedVjpPeakBytes: peakBytes };
}

/** Peak bytes of a block's VJP beyond those already allocated when it starts. @param isShared as in `vjpPeaks` */
export function vjpPeakOf(block: Block, batchSize: number, want: Want, isShared: boolean): number {
  const cost = costOf(block);
  if (!isShared) return cost.vjpPeakBytes(batchSize, want);
  return (
    cost.sharedVjpPeakBytes?.(batchSize, want) ??
    bytesOf(block.outputShape, batchSize) + cost.vjpPeakBytes(batchSize, want)
  );
}
