import { gammaRatio } from './gamma-ratio.js';
import { meanOf, requireSample, varianceOf } from './sample.js';

/** A difference of means in standard deviations. */
export interface EffectSize {
  /** Cohen's d: by the pooled standard deviation. Null where a sample has fewer than two values or neither varies. */
  readonly cohensD: number | null;
  /** Hedges' g: d without its bias in small samples. Null where d is. */
  readonly hedgesG: number | null;
}

/**
 * How far apart two samples are, in standard deviations: first minus second. The correction is the exact one, by gamma
 * functions (Hedges 1981, "Distribution theory for Glass's estimator of effect size").
 *
 * @throws LocalgradError `invalid-option` for an empty sample, or values that are not finite
 */
export function hedgesG(a: readonly number[], b: readonly number[]): EffectSize {
  requireSample('hedgesG', 'a', a);
  requireSample('hedgesG', 'b', b);
  if (a.length < 2 || b.length < 2) return { cohensD: null, hedgesG: null };
  const degreesOfFreedom = a.length + b.length - 2;
  const pooled = ((a.length - 1) * varianceOf(a) + (b.length - 1) * varianceOf(b)) / degreesOfFreedom;
  if (pooled === 0) return { cohensD: null, hedgesG: null };
  const cohensD = (meanOf(a) - meanOf(b)) / Math.sqrt(pooled);
  const correction = gammaRatio((degreesOfFreedom - 1) / 2) / Math.sqrt(degreesOfFreedom / 2);
  return { cohensD, hedgesG: cohensD * correction };
}
