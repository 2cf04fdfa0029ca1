import type { Batch } from '@localgrad/engine';

/** A batch and the right to free it. */
export interface OwnedBatch extends Batch {
  /** Disposes images and targets. */
  dispose(): void;
}

/** Where the trainer gets its batches from; `createBatches` of `@localgrad/data` makes one. */
export interface BatchSource {
  /** Samples in one epoch. */
  readonly samples: number;
  /** Samples in a full batch. */
  readonly batchSize: number;
  readonly batchesPerEpoch: number;
  /**
   * The batches of one epoch (from 0), in its order: the same epoch gives the same batches. The caller disposes them.
   *
   * @param fromSample samples at the epoch's start to leave out, a multiple of `batchSize`: those before an interruption
   */
  epoch(epoch: number, fromSample?: number): Iterable<OwnedBatch>;
}
