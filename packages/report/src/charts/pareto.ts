/** Pareto-optimal points (low x, high y; or low y) in the order of x. */
export function paretoFront<T extends { readonly x: number; readonly y: number }>(
  points: readonly T[],
  lowerIsBetter = false,
): T[] {
  const sign = lowerIsBetter ? -1 : 1;
  return points
    .filter(
      (point) =>
        !points.some(
          (other) =>
            other.x <= point.x &&
            sign * (other.y - point.y) >= 0 &&
            (other.x < point.x || sign * (other.y - point.y) > 0),
        ),
    )
    .sort((a, b) => a.x - b.x || sign * (a.y - b.y));
}
