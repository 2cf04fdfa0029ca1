import { gammaRatio } from './gamma-ratio.js';
import { differenceOfMeans, requireSample, varianceOf } from './sample.js';

/** Difference of two means in standard deviations. */
export interface EffectSize {
  /** Cohen's d, with the pooled standard deviation. Null if a sample has fewer than two values or neither varies. */
  readonly cohensD: number | null;
  /** Hedges' g: d corrected for small-sample bias. Null if d is null. */
  readonly hedgesG: number | null;
}

/**
 * Standardized difference of two means, first minus second. The bias correction is the exact one, by gamma functions
 * (Hedges 1981, "Distribution theory for Glass's estimator of effect size").
 *
 * @throws RangeError for an empty sample or non-finite values
 */
export function hedgesG(a: readonly number[], b: readonly number[]): EffectSize {
  requireSample('hedgesG', 'a', a);
  requireSample('hedgesG', 'b', b);
  if (a.length < 2 || b.length < 2) return { cohensD: null, hedgesG: null };
  const degreesOfFreedom = a.length + b.length - 2;
  const pooled = ((a.length - 1) * varianceOf(a) + (b.length - 1) * varianceOf(b)) / degreesOfFreedom;
  if (pooled === 0) return { cohensD: null, hedgesG: null };
  const cohensD = differenceOfMeans(a, b) / Math.sqrt(pooled);
  const correction = gammaRatio((degreesOfFreedom - 1) / 2) / Math.sqrt(degreesOfFreedom / 2);
  return { cohensD, hedgesG: cohensD * correction };
}
