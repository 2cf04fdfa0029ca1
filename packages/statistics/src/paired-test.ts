import { LocalgradError } from '@localgrad/core';
import { meanOf, requireConfidence, requireSample, varianceOf } from './sample.js';
import { type DifferenceTest, tested, untested } from './welch-test.js';

/**
 * The paired t test: is the mean of `a[i] − b[i]` zero? For conditions whose runs share seeds, in the same order.
 *
 * Nothing but the difference is told for fewer than two pairs, or where the differences do not vary but by rounding.
 *
 * @param options.confidence of the interval of the difference, in (0, 1), by default 0.95
 * @throws LocalgradError `invalid-option` for samples that are empty or of different sizes, or values that are not finite
 */
export function pairedTest(
  a: readonly number[],
  b: readonly number[],
  { confidence = 0.95 }: { readonly confidence?: number } = {},
): DifferenceTest {
  requireSample('pairedTest', 'a', a);
  requireSample('pairedTest', 'b', b);
  requireConfidence('pairedTest', confidence);
  if (a.length !== b.length) {
    throw new LocalgradError(
      'invalid-option',
      `pairedTest: 'a' has ${a.length} values and 'b' has ${b.length}; allowed: as many of both.`,
      { a: a.length, b: b.length },
    );
  }
  const differences = a.map((value, index) => value - (b[index] ?? Number.NaN));
  const difference = meanOf(differences);
  if (differences.length < 2) return untested(difference, confidence);
  const deviation = Math.sqrt(varianceOf(differences));
  // 0.3 − 0.2 and 0.2 − 0.1 are not the same double, which is no spread.
  const rounding = 4 * Number.EPSILON * Math.max(...[...a, ...b].map(Math.abs));
  if (deviation <= rounding) return untested(difference, confidence);
  return tested(difference, deviation / Math.sqrt(differences.length), differences.length - 1, confidence);
}
