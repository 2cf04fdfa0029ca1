import { requireOption } from '@localgrad/core';
import { createRandom } from '@localgrad/nn';
import { normalProbability, normalQuantile } from './normal.js';
import { type Interval, meanOf, requireConfidence, requireSample } from './sample.js';

export interface BootstrapOptions {
  /** In (0, 1), by default 0.95. */
  readonly confidence?: number;
  /** How many samples are drawn, by default 10 000. */
  readonly resamples?: number;
  /** A non-negative integer below 2⁵³: the same seed gives the same bounds on every machine. */
  readonly seed: number;
  /** What is estimated, by default the mean. Called with samples of the size of `values`, and of one less. */
  readonly statistic?: (sample: readonly number[]) => number;
}

export interface BootstrapInterval {
  readonly n: number;
  /** The statistic of the values themselves. */
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
 * Fewer than three values give null bounds: leaving one of two out says nothing of skewness, and there are but three
 * samples to draw. Where every sample gives the same (equal values), both bounds are the estimate.
 *
 * @throws LocalgradError `invalid-option`
 */
export function bootstrapInterval(values: readonly number[], options: BootstrapOptions): BootstrapInterval {
  const { confidence = 0.95, resamples = 10_000, seed, statistic = meanOf } = options;
  requireSample('bootstrapInterval', 'values', values);
  requireConfidence('bootstrapInterval', confidence);
  requireOption(
    Number.isSafeInteger(resamples) && resamples > 0,
    'bootstrapInterval',
    'resamples',
    resamples,
    'positive integers',
  );
  const n = values.length;
  const estimate = statistic(values);
  const common = { n, estimate, confidence, resamples };
  if (n < 3) return { ...common, low: null, high: null };
  const replicates = drawReplicates(values, resamples, seed, statistic);
  return { ...common, ...correctedBounds(replicates, estimate, acceleration(values, statistic), confidence) };
}

/** Sorted. */
function drawReplicates(
  values: readonly number[],
  resamples: number,
  seed: number,
  statistic: (sample: readonly number[]) => number,
): Float64Array {
  const random = createRandom(seed, 'bootstrap');
  const sample: number[] = [...values];
  const draw = (): number => {
    for (let index = 0; index < sample.length; index++) sample[index] = values[random.integer(values.length)] ?? 0;
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
    // Past the pole of an extreme skewness there is nothing beyond the outermost replicate.
    const probability = stretch > 0 ? normalProbability(bias + shifted / stretch) : Number(shifted > 0);
    return quantile(sorted, probability);
  };
  const z = normalQuantile((1 + confidence) / 2);
  return { low: bound(-z), high: bound(z) };
}

/** The share of replicates below the estimate, those equal to it counted half; never quite 0 or 1. */
function shareBelow(sorted: Float64Array, estimate: number): number {
  // Samples that are permutations of the values differ from the estimate by rounding alone: they are equal to it.
  const magnitude = Math.max(Math.abs(sorted[0] ?? 0), Math.abs(sorted.at(-1) ?? 0));
  const rounding = 64 * Number.EPSILON * magnitude;
  let halves = 0;
  for (const replicate of sorted) halves += 1 - Math.sign(roundedDifference(replicate, estimate, rounding));
  const share = halves / (2 * sorted.length);
  const least = 0.5 / sorted.length;
  return Math.min(Math.max(share, least), 1 - least);
}

function roundedDifference(a: number, b: number, rounding: number): number {
  return Math.abs(a - b) <= rounding ? 0 : a - b;
}

/** Skewness of the statistic over the samples that lack one value each (jackknife), divided by six. */
function acceleration(values: readonly number[], statistic: (sample: readonly number[]) => number): number {
  const lacking = values.map((_, index) => statistic(values.toSpliced(index, 1)));
  const mean = meanOf(lacking);
  const squares = lacking.reduce((sum, value) => sum + (mean - value) ** 2, 0);
  const cubes = lacking.reduce((sum, value) => sum + (mean - value) ** 3, 0);
  return squares === 0 ? 0 : cubes / (6 * squares ** 1.5);
}

/** Linear between neighbours. */
function quantile(sorted: Float64Array, probability: number): number {
  const position = probability * (sorted.length - 1);
  const below = sorted[Math.floor(position)] ?? Number.NaN;
  const above = sorted[Math.ceil(position)] ?? Number.NaN;
  return below + (above - below) * (position - Math.floor(position));
}
