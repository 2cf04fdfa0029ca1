import { LocalgradError } from '@localgrad/core';
import type { BatchSource, OwnedBatch } from './batch-source.js';

/**
 * The batches of an epoch of training. Learning rates, phases and checkpoints count on the number that the source declares.
 *
 * @param epoch from 0
 * @param done batches of the epoch before the first of these
 * @throws LocalgradError `invalid-data` where a source yields more or fewer
 */
export async function* countedBatches(
  batches: Iterable<OwnedBatch> | AsyncIterable<OwnedBatch>,
  { batchesPerEpoch }: Pick<BatchSource, 'batchesPerEpoch'>,
  epoch: number,
  done: number,
): AsyncGenerator<OwnedBatch> {
  const fail = (found: string): never => {
    throw new LocalgradError(
      'invalid-data',
      `The source of training batches yields ${found} batches in epoch ${epoch + 1}, but its batchesPerEpoch is ${batchesPerEpoch}.`,
      { epoch: epoch + 1, batchesPerEpoch },
    );
  };
  let count = done;
  for await (const batch of batches) {
    count++;
    if (count > batchesPerEpoch) {
      batch.dispose();
      fail(`more than ${batchesPerEpoch}`);
    }
    yield batch;
  }
  if (count < batchesPerEpoch) fail(`${count}`);
}
