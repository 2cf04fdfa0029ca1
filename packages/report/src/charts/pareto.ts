import { roundedDifference } from '@localgrad/statistics';

/** Pareto-optimal points (low x, high y; or low y) in the order of x. Values that differ only by rounding are equal. */
export function paretoFront<T extends { readonly x: number; readonly y: number }>(
  points: readonly T[],
  lowerIsBetter = false,
): T[] {
  const sign = lowerIsBetter ? -1 : 1;
  const dominates = (other: T, point: T) => {
    const [saved, gained] = [roundedDifference(point.x, other.x), sign * roundedDifference(other.y, point.y)];
    return saved >= 0 && gained >= 0 && (saved > 0 || gained > 0);
  };
  return points
    .filter((point) => !points.some((other) => dominates(other, point)))
    .sort((a, b) => a.x - b.x || sign * (a.y - b.y));
}
