/** Coefficients of x⁻ⁱ in Γ(x + ½) / (√x · Γ(x)), by Stirling's series. */
const series = [1, -1 / 8, 1 / 128, 5 / 1024, -21 / 32768, -399 / 262144, 869 / 4194304, 39325 / 33554432];
/** From this x on, the series is exact to the last digits of a double. */
const largeEnough = 40;

/**
 * Γ(x + ½) / Γ(x) for x > 0, to about 1e-15 relative.
 *
 * Computes the ratio directly, since a difference of two logarithms of Γ loses precision as x grows.
 */
export function gammaRatio(x: number): number {
  let steps = 1;
  let large = x;
  for (; large < largeEnough; large++) steps *= large / (large + 0.5);
  const sum = series.reduceRight((tail, coefficient) => tail / large + coefficient, 0);
  return steps * Math.sqrt(large) * sum;
}
