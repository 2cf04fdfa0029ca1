import { intervalAround, meanOf, requireConfidence, requireSample, varianceOf } from './sample.js';
import { criticalValue, twoSidedTail } from './student-t.js';

/** What a test of a difference of means says. All but the difference is null where there is nothing to judge by. */
export interface DifferenceTest {
  /** Mean of the first minus mean of the second, in their unit. */
  readonly difference: number;
  /** Student's t. */
  readonly statistic: number | null;
  readonly degreesOfFreedom: number | null;
  /** Two-sided, not adjusted for other tests. */
  readonly p: number | null;
  /** Bounds of the difference. */
  readonly low: number | null;
  readonly high: number | null;
  readonly confidence: number;
}

/**
 * Welch's test: do two independent samples, of variances that may differ, have one mean? Degrees of freedom by Welch
 * and Satterthwaite.
 *
 * Nothing but the difference is told where a sample has fewer than two values, or where neither varies: a noise that was
 * not seen is not a noise of zero. One sample that does not vary is fine.
 *
 * @param options.confidence of the interval of the difference, in (0, 1), by default 0.95
 * @throws LocalgradError `invalid-option` for an empty sample, or values that are not finite
 */
export function welchTest(
  a: readonly number[],
  b: readonly number[],
  { confidence = 0.95 }: { readonly confidence?: number } = {},
): DifferenceTest {
  requireSample('welchTest', 'a', a);
  requireSample('welchTest', 'b', b);
  requireConfidence('welchTest', confidence);
  const difference = meanOf(a) - meanOf(b);
  if (a.length < 2 || b.length < 2) return untested(difference, confidence);
  const errorA = varianceOf(a) / a.length;
  const errorB = varianceOf(b) / b.length;
  const error = errorA + errorB;
  if (error === 0) return untested(difference, confidence);
  // Of shares, not of squares: variances of tiny numbers would underflow.
  const [shareA, shareB] = [errorA / error, errorB / error];
  const degreesOfFreedom = 1 / (shareA ** 2 / (a.length - 1) + shareB ** 2 / (b.length - 1));
  return tested(difference, Math.sqrt(error), degreesOfFreedom, confidence);
}

/** A difference with no estimate of its noise. */
export function untested(difference: number, confidence: number): DifferenceTest {
  return { difference, statistic: null, degreesOfFreedom: null, p: null, low: null, high: null, confidence };
}

/** @param standardError of the difference, above zero */
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
