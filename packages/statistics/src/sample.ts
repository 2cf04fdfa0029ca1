import { LocalgradError, requireOption } from '@localgrad/core';

/** Bounds of an interval, in the unit of what it is of. */
export interface Interval {
  readonly low: number;
  readonly high: number;
}

/** Throws unless there is at least one value and all are finite. */
export function requireSample(where: string, name: string, values: readonly number[]): void {
  if (values.length === 0) {
    throw new LocalgradError('invalid-option', `${where}: '${name}' is empty; allowed: one value or more.`, {
      where,
      name,
    });
  }
  const index = values.findIndex((value) => !Number.isFinite(value));
  if (index !== -1) {
    throw new LocalgradError(
      'invalid-option',
      `${where}: value ${index} of '${name}' is ${values[index]}; allowed: finite numbers.`,
      { where, name, index, value: values[index] },
    );
  }
}

export function requireConfidence(where: string, confidence: number): void {
  requireOption(
    confidence > 0 && confidence < 1,
    where,
    'confidence',
    confidence,
    'numbers between 0 and 1, exclusive',
  );
}

/** Of equal values it is that value to the last digit, so that their variance is exactly zero. */
export function meanOf(values: readonly number[]): number {
  const [origin = 0] = values;
  return origin + values.reduce((sum, value) => sum + (value - origin), 0) / values.length;
}

/** Unbiased: the sum of squares over n − 1. For two values or more. */
export function varianceOf(values: readonly number[]): number {
  const mean = meanOf(values);
  return values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1);
}

export function intervalAround(center: number, halfWidth: number): Interval {
  return { low: center - halfWidth, high: center + halfWidth };
}
