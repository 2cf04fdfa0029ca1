import { intervalAround, meanOf, requireConfidence, requireSample, varianceOf } from './sample.js';
import { criticalValue } from './student-t.js';

/** A mean with the bounds between which the mean of the population is expected. */
export interface MeanInterval {
  readonly n: number;
  readonly mean: number;
  /** Of the sample (divided by n − 1); null for a single value. */
  readonly standardDeviation: number | null;
  /** Null for a single value, which says nothing of the spread. */
  readonly low: number | null;
  readonly high: number | null;
  readonly confidence: number;
}

/**
 * The mean of `values` with its interval by Student's t distribution. Equal values give an interval of width zero.
 *
 * @param options.confidence in (0, 1), by default 0.95
 * @throws LocalgradError `invalid-option` for no values, or values that are not finite
 */
export function meanInterval(
  values: readonly number[],
  { confidence = 0.95 }: { readonly confidence?: number } = {},
): MeanInterval {
  requireSample('meanInterval', 'values', values);
  requireConfidence('meanInterval', confidence);
  const n = values.length;
  const mean = meanOf(values);
  if (n === 1) return { n, mean, standardDeviation: null, low: null, high: null, confidence };
  const standardDeviation = Math.sqrt(varianceOf(values));
  const bounds = intervalAround(mean, criticalValue(confidence, n - 1) * (standardDeviation / Math.sqrt(n)));
  return { n, mean, standardDeviation, ...bounds, confidence };
}
