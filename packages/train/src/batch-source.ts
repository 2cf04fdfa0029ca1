import type { Batch } from '@localgrad/engine';

/** A batch and the right to dispose it. */
export interface OwnedBatch extends Batch {
  /** Disposes images and targets. */
  dispose(): void;
}

/** Source of batches for the trainer; create one with `createBatches` from `@localgrad/data`. */
export interface BatchSource {
  /** Samples per epoch. */
  readonly samples: number;
  /** Samples of a full batch. */
  readonly batchSize: number;
  readonly batchesPerEpoch: number;
  /**
   * The batches of one epoch (from 0), in its order: the same epoch yields the same batches. The caller disposes them.
   * May be asynchronous, to load or decode images.
   *
   * @param fromSample samples to skip at the start of the epoch, a multiple of `batchSize`: those before an interruption
   */
  epoch(epoch: number, fromSample?: number): Iterable<OwnedBatch> | AsyncIterable<OwnedBatch>;
}
