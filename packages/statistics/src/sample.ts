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

/** Unbiased variance (divisor n − 1) of two or more values. */
export function varianceOf(values: readonly number[]): number {
  const mean = meanOf(values);
  return values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1);
}

export function intervalAround(center: number, halfWidth: number): Interval {
  return { low: center - halfWidth, high: center + halfWidth };
}
