import { differenceOfMeans, requireConfidence, requireSample, requireThat, varianceOf } from './sample.js';
import { type DifferenceTest, tested, untested } from './welch-test.js';

/**
 * Paired t test of the hypothesis that the mean of `a[i] − b[i]` is zero, for runs that share seeds in the same order.
 *
 * Returns only the difference for fewer than two pairs, or if the differences vary only by rounding.
 *
 * @param options.confidence of the interval of the difference, in (0, 1), default 0.95
 * @throws RangeError for empty samples, samples of different sizes, or non-finite values
 */
export function pairedTest(
  a: readonly number[],
  b: readonly number[],
  { confidence = 0.95 }: { readonly confidence?: number } = {},
): DifferenceTest {
  requireSample('pairedTest', 'a', a);
  requireSample('pairedTest', 'b', b);
  requireConfidence('pairedTest', confidence);
  const haveSameSize = a.length === b.length;
  requireThat(
    haveSameSize,
    `pairedTest: 'a' has ${a.length} values and 'b' has ${b.length}; both need the same number.`,
  );
  const differences = a.map((value, index) => value - (b[index] ?? Number.NaN));
  const difference = differenceOfMeans(a, b);
  if (differences.length < 2) return untested(difference, confidence);
  const deviation = Math.sqrt(varianceOf(differences, [...a, ...b]));
  if (deviation === 0) return untested(difference, confidence);
  return tested(difference, deviation / Math.sqrt(differences.length), differences.length - 1, confidence);
}
