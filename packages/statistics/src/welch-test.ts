import { differenceOfMeans, intervalAround, requireConfidence, requireSample, varianceOf } from './sample.js';
import { criticalValue, twoSidedTail } from './student-t.js';

/** Result of a test of the difference of two means. Everything except the difference is null if no test is possible. */
export interface DifferenceTest {
  /** Mean of the first sample minus mean of the second. */
  readonly difference: number;
  /** Student's t statistic. */
  readonly statistic: number | null;
  readonly degreesOfFreedom: number | null;
  /** Two-sided, not adjusted for other tests. */
  readonly p: number | null;
  /** Confidence bounds of the difference. */
  readonly low: number | null;
  readonly high: number | null;
  readonly confidence: number;
}

/**
 * Welch's t test for equal means of two independent samples with possibly unequal variances. Degrees of freedom by the
 * Welch–Satterthwaite equation.
 *
 * Returns only the difference if a sample has fewer than two values or if neither sample varies. One constant sample is
 * allowed.
 *
 * @param options.confidence of the interval of the difference, in (0, 1), default 0.95
 * @throws RangeError for an empty sample or non-finite values
 */
export function welchTest(
  a: readonly number[],
  b: readonly number[],
  { confidence = 0.95 }: { readonly confidence?: number } = {},
): DifferenceTest {
  requireSample('welchTest', 'a', a);
  requireSample('welchTest', 'b', b);
  requireConfidence('welchTest', confidence);
  const difference = differenceOfMeans(a, b);
  if (a.length < 2 || b.length < 2) return untested(difference, confidence);
  const errorA = varianceOf(a) / a.length;
  const errorB = varianceOf(b) / b.length;
  const error = errorA + errorB;
  if (error === 0) return untested(difference, confidence);
  // Fractions instead of squares: variances of tiny numbers would underflow.
  const [shareA, shareB] = [errorA / error, errorB / error];
  const degreesOfFreedom = 1 / (shareA ** 2 / (a.length - 1) + shareB ** 2 / (b.length - 1));
  return tested(difference, Math.sqrt(error), degreesOfFreedom, confidence);
}

/** A difference without a test. */
export function untested(difference: number, confidence: number): DifferenceTest {
  return { difference, statistic: null, degreesOfFreedom: null, p: null, low: null, high: null, confidence };
}

/** @param standardError of the difference, positive */
export function tested(
  difference: number,
  standardError: number,
  degreesOfFreedom: number,
  confidence: number,
): DifferenceTest {
  const statistic = difference / standardError;
  return {
    difference,
    statistic,
    degreesOfFreedom,
    p: twoSidedTail(statistic, degreesOfFreedom),
    ...intervalAround(difference, criticalValue(confidence, degreesOfFreedom) * standardError),
    confidence,
  };
}
