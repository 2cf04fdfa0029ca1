/** Points that no other one beats: none is as cheap and more accurate, or cheaper and as accurate. By rising cost. */
export function paretoFront<T extends { readonly x: number; readonly y: number }>(points: readonly T[]): T[] {
  return points
    .filter(
      (point) =>
        !points.some((other) => other.x <= point.x && other.y >= point.y && (other.x < point.x || other.y > point.y)),
    )
    .sort((a, b) => a.x - b.x || a.y - b.y);
}
