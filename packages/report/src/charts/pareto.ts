/** Pareto-optimal points (low x, high y) in the order of x. */
export function paretoFront<T extends { readonly x: number; readonly y: number }>(points: readonly T[]): T[] {
  return points
    .filter(
      (point) =>
        !points.some((other) => other.x <= point.x && other.y >= point.y && (other.x < point.x || other.y > point.y)),
    )
    .sort((a, b) => a.x - b.x || a.y - b.y);
}
