import { bootstrapInterval, meanInterval } from '@localgrad/statistics';

/** Confidence level of all intervals in a report. */
export const confidence = 0.95;
/** Adjusted p values below this are called a difference. */
export const significance = 0.05;

/** A mean over seeds. Bounds are null for a single seed. */
export interface Estimate {
  readonly n: number;
  readonly mean: number;
  readonly standardDeviation: number | null;
  /** Student's t interval. */
  readonly low: number | null;
  readonly high: number | null;
}

/** Mean accuracy, in [0, 1], or mean of the metric that a report compares. */
export interface Accuracy extends Estimate {
  /** BCa bootstrap bounds, which assume no normal distribution. */
  readonly bootstrap: readonly [low: number, high: number] | null;
}

/** Mean with its t interval; null without values. */
export function estimateOf(values: readonly number[]): Estimate | null {
  if (values.length === 0) return null;
  const { n, mean, standardDeviation, low, high } = meanInterval(values, { confidence });
  return { n, mean, standardDeviation, low, high };
}

/** Mean accuracy, or mean of the metric that a report compares; null without values. */
export function accuracyOf(measured: readonly (number | null)[]): Accuracy | null {
  const values = known(measured);
  const estimate = estimateOf(values);
  if (estimate === null) return null;
  const { low, high } = bootstrapInterval(values, { confidence, seed: 1 });
  return { ...estimate, bootstrap: low === null || high === null ? null : [low, high] };
}

/** Omits null and undefined. */
export function known<T>(values: readonly (T | null | undefined)[]): T[] {
  return values.filter((value): value is T => value !== null && value !== undefined);
}
