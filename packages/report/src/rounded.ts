/** Difference of two numbers; exactly zero if they differ only by rounding, as means of values in another order do. */
export function roundedDifference(one: number, other: number): number {
  const difference = one - other;
  const rounding = 4 * Number.EPSILON * Math.max(Math.abs(one), Math.abs(other));
  return Math.abs(difference) <= rounding ? 0 : difference;
}
