/** Bounds of an interval, in the unit of the estimated quantity. */
export interface Interval {
  readonly low: number;
  readonly high: number;
}

/** @throws RangeError with `message` unless `condition` holds */
export function requireThat(condition: boolean, message: string): asserts condition {
  if (!condition) throw new RangeError(message);
}

/** Throws unless there is at least one value and all values are finite. */
export function requireSample(where: string, name: string, values: readonly number[]): void {
  requireThat(values.length > 0, `${where}: '${name}' is empty; at least one value is required.`);
  const index = values.findIndex((value) => !Number.isFinite(value));
  requireThat(index === -1, `${where}: value ${index} of '${name}' is ${values[index]}; allowed: finite numbers.`);
}

export function requireConfidence(where: string, confidence: number): void {
  const isLevel = confidence > 0 && confidence < 1;
  requireThat(isLevel, `${where}: 'confidence' is ${confidence}; allowed: numbers between 0 and 1, exclusive.`);
}

/** Arithmetic mean. The mean of equal values is exactly that value, so that their variance is exactly zero. */
export function meanOf(values: readonly number[]): number {
  const [origin = 0] = values;
  return origin + values.reduce((sum, value) => sum + (value - origin), 0) / values.length;
}

/**
 * Unbiased variance (divisor n − 1) of two or more values; exactly zero if they vary only by rounding: 0.3 − 0.2 and 0.2 − 0.1 are
 * different doubles, but not a spread.
 *
 * @param operands numbers that the values were computed from, which determine the rounding; default: the values
 */
export function varianceOf(values: readonly number[], operands: readonly number[] = values): number {
  const mean = meanOf(values);
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1);
  return Math.sqrt(variance) <= roundingOf(operands) ? 0 : variance;
}

/** Difference of the means, first minus second; exactly zero if they differ only by rounding, as with values in another order. */
export function differenceOfMeans(a: readonly number[], b: readonly number[]): number {
  return roundedDifference(meanOf(a), meanOf(b), roundingOf([...a, ...b]));
}

/**
 * Difference of two numbers; exactly zero if they differ only by rounding, as means of values in another order do.
 *
 * @param rounding largest difference that may be rounding; default: a few units in the last place of the larger number
 */
export function roundedDifference(a: number, b: number, rounding = roundingOf([a, b])): number {
  return Math.abs(a - b) <= rounding ? 0 : a - b;
}

/** Differences up to this size may be rounding errors of sums. */
function roundingOf(values: readonly number[]): number {
  return 4 * Number.EPSILON * values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
}

export function intervalAround(center: number, halfWidth: number): Interval {
  return { low: center - halfWidth, high: center + halfWidth };
}
