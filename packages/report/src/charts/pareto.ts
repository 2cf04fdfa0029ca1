/** Pareto-optimal points (low x, high y; or low y) in the order of x. Values of y that differ only by rounding are equal. */
export function paretoFront<T extends { readonly x: number; readonly y: number }>(
  points: readonly T[],
  lowerIsBetter = false,
): T[] {
  const sign = lowerIsBetter ? -1 : 1;
  const advantage = (one: T, other: T) => {
    const difference = one.y - other.y;
    const rounding = 4 * Number.EPSILON * Math.max(Math.abs(one.y), Math.abs(other.y));
    return Math.abs(difference) <= rounding ? 0 : sign * difference;
  };
  const dominates = (other: T, point: T) =>
    other.x <= point.x && advantage(other, point) >= 0 && (other.x < point.x || advantage(other, point) > 0);
  return points
    .filter((point) => !points.some((other) => dominates(other, point)))
    .sort((a, b) => a.x - b.x || sign * (a.y - b.y));
}
