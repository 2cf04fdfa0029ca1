import { requireLabels } from '@localgrad/kernels';
import type { BatchSource, OwnedBatch } from './batch-source.js';

/** Number of classes that the labels of a source have been checked for, in a whole epoch. */
const checked = new WeakMap<BatchSource, number>();

/**
 * The batches of an epoch. In the first epoch of a source, the labels are checked: not every backend's kernels do, and a
 * label beyond the classes would look like a diverged network.
 *
 * @throws LocalgradError `invalid-data`
 */
export async function* checkedBatches(
  source: BatchSource,
  classes: number,
  epoch: number,
  fromSample = 0,
): AsyncGenerator<OwnedBatch> {
  const isKnown = checked.get(source) === classes;
  for await (const batch of source.epoch(epoch, fromSample)) {
    if (!isKnown) await checkLabels(batch, classes);
    yield batch;
  }
  if (fromSample === 0) checked.set(source, classes);
}

async function checkLabels(batch: OwnedBatch, classes: number): Promise<void> {
  const { labels } = batch.targets;
  if (labels === undefined) return;
  try {
    requireLabels(await labels.data(), classes);
  } catch (error) {
    batch.dispose();
    throw error;
  }
}
