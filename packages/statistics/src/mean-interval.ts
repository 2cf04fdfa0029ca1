import { intervalAround, meanOf, requireConfidence, requireSample, varianceOf } from './sample.js';
import { criticalValue } from './student-t.js';

/** Sample mean with a confidence interval of the population mean. */
export interface MeanInterval {
  readonly n: number;
  readonly mean: number;
  /** Sample standard deviation (divisor n − 1); null for a single value. */
  readonly standardDeviation: number | null;
  /** Null for a single value, which does not show the spread. */
  readonly low: number | null;
  readonly high: number | null;
  readonly confidence: number;
}

/**
 * Mean of `values` with its Student's t interval. Equal values yield an interval of width zero.
 *
 * @param options.confidence in (0, 1), default 0.95
 * @throws RangeError for an empty sample or non-finite values
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
