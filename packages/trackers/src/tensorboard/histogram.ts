import { LocalgradError } from '@localgrad/core';

/** Content of TensorBoard's `HistogramProto`. */
export interface Histogram {
  readonly min: number;
  readonly max: number;
  readonly count: number;
  readonly sum: number;
  readonly sumOfSquares: number;
  /** Upper bounds of the buckets, ascending; each bucket begins where the previous one ends. */
  readonly limits: readonly number[];
  /** Values by bucket. */
  readonly counts: readonly number[];
}

let defaultLimits: readonly number[] | undefined;

/** TensorFlow's buckets (core/lib/histogram/histogram.cc): both signs, each a tenth wider than the one before. */
function bucketLimits(): readonly number[] {
  if (defaultLimits === undefined) {
    const positive: number[] = [];
    for (let limit = 1e-12; limit < 1e20; limit *= 1.1) positive.push(limit);
    positive.push(Number.MAX_VALUE);
    defaultLimits = [...positive.map((limit) => -limit).reverse(), 0, ...positive];
  }
  return defaultLimits;
}

/**
 * Counts values in TensorFlow's default buckets; of adjacent empty buckets, one is kept.
 *
 * @param where names the values in messages
 * @throws LocalgradError `invalid-data` if there are no values or one is not finite
 */
export function histogramOf(values: ArrayLike<number>, where: string): Histogram {
  if (values.length === 0)
    throw new LocalgradError('invalid-data', `${where} has no values; a histogram needs at least one.`);
  const limits = bucketLimits();
  const counts = new Array<number>(limits.length).fill(0);
  let min = Number.POSITIVE_INFINITY;
  let max = Number.NEGATIVE_INFINITY;
  let sum = 0;
  let sumOfSquares = 0;
  for (let index = 0; index < values.length; index++) {
    const value = values[index] as number;
    if (!Number.isFinite(value)) {
      const message = `${where} has ${value} at index ${index}; allowed: finite values.`;
      throw new LocalgradError('invalid-data', message, { index });
    }
    min = Math.min(min, value);
    max = Math.max(max, value);
    sum += value;
    sumOfSquares += value * value;
    const bucket = Math.min(firstAbove(limits, value), limits.length - 1);
    counts[bucket] = (counts[bucket] as number) + 1;
  }
  return { min, max, count: values.length, sum, sumOfSquares, ...withoutEmptyRuns(limits, counts) };
}

function firstAbove(limits: readonly number[], value: number): number {
  let low = 0;
  let high = limits.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((limits[middle] as number) > value) high = middle;
    else low = middle + 1;
  }
  return low;
}

function withoutEmptyRuns(limits: readonly number[], counts: readonly number[]): Pick<Histogram, 'limits' | 'counts'> {
  // The last of a sequence of empty buckets stays: it marks where the next bucket begins.
  const kept = limits.flatMap((_, index) => (counts[index] !== 0 || counts[index + 1] !== 0 ? [index] : []));
  return { limits: kept.map((index) => limits[index] as number), counts: kept.map((index) => counts[index] as number) };
}
