import { gammaRatio } from './gamma-ratio.js';
import { normalQuantile } from './normal.js';

/**
 * P(|T| ≥ |t|) for Student's t distribution: the regularized incomplete beta function I(ν/2, ½) at ν / (ν + t²).
 *
 * Evaluates the continued fraction to full precision; jstat stops at 1e-7.
 *
 * @param degreesOfFreedom ν > 0, whole or not; relative errors are below 1e-11 up to 1e5 and grow with it
 */
export function twoSidedTail(t: number, degreesOfFreedom: number): number {
  const square = t * t;
  if (!Number.isFinite(square)) return 0;
  const a = degreesOfFreedom / 2;
  const x = degreesOfFreedom / (degreesOfFreedom + square);
  const complement = square / (degreesOfFreedom + square);
  // x^a by log1p: for small t, x is too close to 1 for its logarithm.
  const power = Math.exp(-a * Math.log1p(square / degreesOfFreedom));
  const factor = (power * Math.sqrt(complement) * gammaRatio(a)) / Math.sqrt(Math.PI);
  // Above the mean, the fraction converges slowly, and the complement is not small.
  if (x < (a + 1) / (a + 2.5)) return (factor / a) * betaFraction(x, a, 0.5);
  return 1 - 2 * factor * betaFraction(complement, 0.5, a);
}

/**
 * The t with P(|T| ≤ t) = `confidence`.
 *
 * @param confidence in (0, 1)
 */
export function criticalValue(confidence: number, degreesOfFreedom: number): number {
  const tail = 1 - confidence;
  // Newton steps from the normal quantile, a lower bound; the tail is convex, so that no step overshoots.
  let t = normalQuantile(1 - tail / 2);
  for (let step = 0; step < 200; step++) {
    const change = (twoSidedTail(t, degreesOfFreedom) - tail) / (2 * density(t, degreesOfFreedom));
    t += change;
    if (Math.abs(change) <= 8 * Number.EPSILON * t) break;
  }
  return t;
}

function density(t: number, degreesOfFreedom: number): number {
  const power = Math.exp((-(degreesOfFreedom + 1) / 2) * Math.log1p((t * t) / degreesOfFreedom));
  return (gammaRatio(degreesOfFreedom / 2) / Math.sqrt(Math.PI * degreesOfFreedom)) * power;
}

/** The continued fraction of the incomplete beta function by Lentz's method (DLMF 8.17.22). */
function betaFraction(x: number, a: number, b: number): number {
  const tiny = 1e-300;
  const away = (value: number): number => (Math.abs(value) < tiny ? tiny : value);
  let numerator = 1;
  let denominator = 1 / away(1 - ((a + b) * x) / (a + 1));
  let fraction = denominator;
  for (let m = 1; m <= 10_000; m++) {
    const even = (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m));
    denominator = 1 / away(1 + even * denominator);
    numerator = away(1 + even / numerator);
    fraction *= denominator * numerator;
    const odd = (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1));
    denominator = 1 / away(1 + odd * denominator);
    numerator = away(1 + odd / numerator);
    const change = denominator * numerator;
    fraction *= change;
    if (Math.abs(change - 1) <= 2 * Number.EPSILON) break;
  }
  return fraction;
}
