import type { Batch } from '@localgrad/engine';

/** A batch that is owned by its receiver, who disposes it. */
export interface OwnedBatch extends Batch {
  /** Disposes images and targets. */
  dispose(): void;
}

/** Source of batches for the trainer; create one with `createBatches` from `@localgrad/data`. */
export interface BatchSource {
  /** Samples per epoch. */
  readonly samples: number;
  /** Samples per full batch. */
  readonly batchSize: number;
  /** Batches per epoch; the last one may be smaller. */
  readonly batchesPerEpoch: number;
  /**
   * The batches of one epoch (from 0). The same epoch always yields the same batches in the same order. The caller
   * disposes them. May be asynchronous, to load or decode images.
   *
   * @param fromSample samples to skip at the start of the epoch when resuming; a multiple of `batchSize`
   */
  epoch(epoch: number, fromSample?: number): Iterable<OwnedBatch> | AsyncIterable<OwnedBatch>;
}
