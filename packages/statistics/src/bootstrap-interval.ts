import { normalProbability, normalQuantile } from './normal.js';
import { randomIntegers } from './random.js';
import { type Interval, meanOf, requireConfidence, requireSample, requireThat, roundedDifference } from './sample.js';

export interface BootstrapOptions {
  /** Confidence level in (0, 1). Default 0.95. */
  readonly confidence?: number;
  /** Number of bootstrap samples. Default 10 000. */
  readonly resamples?: number;
  /** Integer from 0 to 2⁵³ − 1. The same seed yields the same bounds on every machine. */
  readonly seed: number;
  /** The statistic to estimate. Default: the mean. Called with samples of the size of `values`, and one smaller. */
  readonly statistic?: (sample: readonly number[]) => number;
}

export interface BootstrapInterval {
  readonly n: number;
  /** Statistic of `values`. */
  readonly estimate: number;
  /** Null for fewer than three values. */
  readonly low: number | null;
  readonly high: number | null;
  readonly confidence: number;
  readonly resamples: number;
}

/**
 * The bias-corrected and accelerated bootstrap interval (BCa; Efron 1987, "Better bootstrap confidence intervals").
 *
 * The bounds are null for fewer than three values: the jackknife cannot estimate skewness from two. If all bootstrap
 * samples have the same statistic (equal values), both bounds equal the estimate.
 *
 * @throws RangeError for an empty sample, non-finite values, or an option outside its range
 */
export function bootstrapInterval(values: readonly number[], options: BootstrapOptions): BootstrapInterval {
  const { confidence = 0.95, resamples = 10_000, seed, statistic = meanOf } = options;
  requireSample('bootstrapInterval', 'values', values);
  requireConfidence('bootstrapInterval', confidence);
  const isCount = Number.isSafeInteger(resamples) && resamples > 0;
  requireThat(isCount, `bootstrapInterval: 'resamples' is ${resamples}; allowed: positive integers.`);
  const isSeed = Number.isSafeInteger(seed) && seed >= 0;
  requireThat(isSeed, `bootstrapInterval: 'seed' is ${seed}; allowed: integers from 0 to 2^53 − 1.`);
  const n = values.length;
  const estimate = statistic(values);
  const common = { n, estimate, confidence, resamples };
  if (n < 3) return { ...common, low: null, high: null };
  const replicates = drawReplicates(values, resamples, seed, statistic);
  return { ...common, ...correctedBounds(replicates, estimate, acceleration(values, statistic), confidence) };
}

/** Statistics of bootstrap samples, in ascending order. */
function drawReplicates(
  values: readonly number[],
  resamples: number,
  seed: number,
  statistic: (sample: readonly number[]) => number,
): Float64Array {
  const random = randomIntegers(seed, 'bootstrap');
  const sample: number[] = [...values];
  const draw = (): number => {
    for (let index = 0; index < sample.length; index++) sample[index] = values[random(values.length)] ?? 0;
    return statistic(sample);
  };
  return Float64Array.from({ length: resamples }, draw).sort();
}

function correctedBounds(sorted: Float64Array, estimate: number, accelerated: number, confidence: number): Interval {
  if (sorted[0] === sorted.at(-1)) return { low: estimate, high: estimate };
  const bias = normalQuantile(shareBelow(sorted, estimate));
  const bound = (z: number): number => {
    const shifted = bias + z;
    const stretch = 1 - accelerated * shifted;
    // Beyond the pole of an extreme skewness, use the outermost replicate.
    const probability = stretch > 0 ? normalProbability(bias + shifted / stretch) : Number(shifted > 0);
    return quantile(sorted, probability);
  };
  const z = normalQuantile((1 + confidence) / 2);
  return { low: bound(-z), high: bound(z) };
}

/** Fraction of replicates below the estimate, ties counted half; never exactly 0 or 1. */
function shareBelow(sorted: Float64Array, estimate: number): number {
  // Samples that are permutations of the values differ from the estimate only by rounding, so they count as ties.
  const magnitude = Math.max(Math.abs(sorted[0] ?? 0), Math.abs(sorted.at(-1) ?? 0));
  const rounding = 64 * Number.EPSILON * magnitude;
  let halves = 0;
  for (const replicate of sorted) halves += 1 - Math.sign(roundedDifference(replicate, estimate, rounding));
  const share = halves / (2 * sorted.length);
  const least = 0.5 / sorted.length;
  return Math.min(Math.max(share, least), 1 - least);
}

/** Skewness of the statistic over the leave-one-out samples (jackknife), divided by six. */
function acceleration(values: readonly number[], statistic: (sample: readonly number[]) => number): number {
  const lacking = values.map((_, index) => statistic(values.toSpliced(index, 1)));
  const mean = meanOf(lacking);
  const squares = lacking.reduce((sum, value) => sum + (mean - value) ** 2, 0);
  const cubes = lacking.reduce((sum, value) => sum + (mean - value) ** 3, 0);
  return squares === 0 ? 0 : cubes / (6 * squares ** 1.5);
}

/** Interpolates linearly between neighbors. */
function quantile(sorted: Float64Array, probability: number): number {
  const position = probability * (sorted.length - 1);
  const below = sorted[Math.floor(position)] ?? Number.NaN;
  const above = sorted[Math.ceil(position)] ?? Number.NaN;
  return below + (above - below) * (position - Math.floor(position));
}
