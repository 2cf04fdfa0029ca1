/** Largest difference over the largest finite value that is expected. NaN and infinities are only near themselves. */
export function relativeError(found: ArrayLike<number>, wanted: ArrayLike<number>): number {
  let scale = 1e-3;
  let largest = 0;
  for (let index = 0; index < wanted.length; index++) {
    const [value, expected] = [found[index] ?? Number.NaN, wanted[index] ?? Number.NaN];
    if (Number.isFinite(expected)) scale = Math.max(scale, Math.abs(expected));
    if (Object.is(value, expected)) continue;
    const difference = Math.abs(value - expected);
    largest = Math.max(largest, Number.isNaN(difference) ? Number.POSITIVE_INFINITY : difference);
  }
  return largest / scale;
}
