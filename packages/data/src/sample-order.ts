import { requireOption } from '@localgrad/core';
import { createRandom } from '@localgrad/nn/random';

/** How the samples of an epoch are ordered. */
export interface SampleOrderOptions {
  /** Shuffle in each epoch. Default false. */
  readonly shuffle?: boolean;
  /** Seed of the order. Default 0. */
  readonly seed?: number;
  /**
   * Number of random samples, usually of as many classes, that each batch starts with; the other samples of the batch are of
   * the same classes while there are any (predsim's similarity losses on CIFAR-100). Needs `shuffle` and labels. Default:
   * any classes.
   */
  readonly classesPerBatch?: number;
  /** Number of epochs with `classesPerBatch`, after which batches have any classes. Default: all. */
  readonly classesPerBatchEpochs?: number;
}

/** The names of the options, for checks. */
export const sampleOrderOptions = ['shuffle', 'seed', 'classesPerBatch', 'classesPerBatchEpochs'] as const;

/** Samples in memory, or files. */
interface Samples {
  readonly size: number;
  readonly labels: ArrayLike<number>;
}

/**
 * Returns a function of the epoch (from 0): the indices of all samples in the order in which batches take them. It depends on
 * seed, epoch and, with `classesPerBatch`, on the batch size.
 *
 * @throws LocalgradError `invalid-option`
 */
export function createSampleOrder(
  where: string,
  { size, labels }: Samples,
  batchSize: number,
  options: SampleOrderOptions,
): (epoch: number) => Uint32Array {
  const { shuffle = false, seed = 0, classesPerBatch, classesPerBatchEpochs = Number.POSITIVE_INFINITY } = options;
  requireOption(typeof shuffle === 'boolean', where, 'shuffle', shuffle, 'true, false');
  requireOption(Number.isSafeInteger(seed) && seed >= 0, where, 'seed', seed, 'integers from 0 to 2^53 − 1');
  if (classesPerBatch !== undefined) {
    requireOption(shuffle, where, 'classesPerBatch', classesPerBatch, 'undefined without shuffle');
    requireOption(labels.length > 0, where, 'classesPerBatch', classesPerBatch, 'undefined without labels');
    const most = Math.min(batchSize, new Set(Array.from(labels)).size);
    const isCount = Number.isInteger(classesPerBatch) && classesPerBatch >= 1 && classesPerBatch <= most;
    const allowed = `integers from 1 to ${most}, the smaller of batch size and number of classes`;
    requireOption(isCount, where, 'classesPerBatch', classesPerBatch, allowed);
  }
  const { classesPerBatchEpochs: given } = options;
  if (given !== undefined) {
    const isCount = classesPerBatch !== undefined && Number.isInteger(given) && given >= 1;
    requireOption(isCount, where, 'classesPerBatchEpochs', given, 'integers ≥ 1, with classesPerBatch');
  }
  return (epoch) => {
    const order = Uint32Array.from({ length: size }, (_, index) => index);
    if (!shuffle) return order;
    createRandom(seed, `order/${epoch}`).shuffle(order);
    const isGrouped = classesPerBatch !== undefined && epoch < classesPerBatchEpochs;
    return isGrouped ? grouped(order, labels, batchSize, classesPerBatch) : order;
  };
}

/** Reorders shuffled samples so that those of a batch are of the classes of its first ones (Nøkland and Eidnes, 2019). */
function grouped(order: Uint32Array, labels: ArrayLike<number>, batchSize: number, count: number): Uint32Array {
  const result = new Uint32Array(order.length);
  /** Circular list of the positions that are left. It starts and ends at `end`, the position behind all samples. */
  const end = order.length;
  const next = Uint32Array.from({ length: end + 1 }, (_, position) => (position === end ? 0 : position + 1));
  let taken = 0;
  const labelAt = (position: number) => labels[order[position] ?? 0] ?? 0;
  const take = (previous: number, position: number) => {
    result[taken++] = order[position] ?? 0;
    next[previous] = next[position] ?? end;
  };
  const first = () => next[end] ?? end;
  while (taken < order.length) {
    const full = Math.min(taken + batchSize, order.length);
    const classes = new Set<number>();
    for (const start = taken; taken < Math.min(start + count, full); ) {
      classes.add(labelAt(first()));
      take(end, first());
    }
    for (let previous = end; taken < full && (next[previous] ?? end) !== end; ) {
      const position = next[previous] ?? end;
      if (classes.has(labelAt(position))) take(previous, position);
      else previous = position;
    }
    while (taken < full) take(end, first());
  }
  return result;
}
