import { createRandom } from '@localgrad/nn';
import { type Comparison, diagnose, type GradientFacts } from './diagnosis.js';

/** A gradient, and the function that it belongs to. */
export interface GradientCheck {
  /** Names the tensor in messages: `block 'stem': weight 'conv1.weight'`. */
  readonly label: string;
  readonly shape: readonly number[];
  /** Where the gradient was taken. */
  readonly at: Float32Array;
  readonly gradient: Float32Array;
  /** f(a) − f(b), subtracted in float64. */
  readonly difference: (a: Float32Array, b: Float32Array) => Promise<number>;
  /** Size of the float32 numbers of which `difference` is made: a lower bound for its rounding error. */
  readonly magnitude: number;
  readonly facts?: GradientFacts;
}

export interface GradientOptions {
  /** Allowed error, relative to the gradient's norm; default 0.02. */
  readonly tolerance?: number;
  /** Random directions along which the gradient is checked; default 3. */
  readonly directions?: number;
}

/** Relative steps. Short ones cross fewer kinks, long ones lose less to rounding. */
const steps = [1e-5, 3e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1] as const;
/** Steps so short that what a function does there is rounding. */
const noiseSteps = [2e-6, 4e-6, 8e-6] as const;
/** A step is reliable where rounding stays below this fraction of the gradient's norm. */
const reliableRounding = 0.2;
/** Longer steps only count where no shorter one is reliable. */
const longestReliable = 1e-2;
const float32Epsilon = 2 ** -24;

/**
 * Compares a gradient with central differences along random directions, most of which have to agree. Steps are relative to
 * each coordinate's size; of those that rounding leaves reliable the shortest count, so that kinks and curvature do not
 * matter. Where these or rounding hide the derivative, the gradient has to lie within their error, which is measured.
 *
 * @throws Error with the numbers and the likely reason
 */
export async function checkGradient(check: GradientCheck, options: GradientOptions = {}): Promise<void> {
  const { tolerance = 0.02, directions = 3 } = options;
  const noise = await measureNoise(check);
  const comparisons: Comparison[] = [];
  for (let index = 0; index < directions; index++) comparisons.push(await compare(check, index, tolerance, noise));
  if (comparisons.filter(({ isGood }) => isGood).length >= (2 / 3) * directions) return;
  throw new Error(describeFailure(check, comparisons, tolerance));
}

/** Root mean square of single coordinates; 1 where all are 0. */
function typicalSize(at: Float32Array): number {
  return norm(at) / Math.sqrt(at.length) || 1;
}

/** Random, each coordinate in proportion to its size. */
function directionOf({ label, at }: GradientCheck, seed: string): Float64Array {
  const random = createRandom(0, `direction/${seed}/${label}`);
  const typical = typicalSize(at);
  return Float64Array.from(at, (value) => random.normal() * (Math.abs(value) + typical) * 0.5);
}

function moved(at: Float32Array, direction: Float64Array, step: number): Float32Array {
  return at.map((value, index) => value + step * (direction[index] ?? 0));
}

/** Standard deviation of the function's rounding error, from second differences at steps too short to matter. */
async function measureNoise(check: GradientCheck): Promise<number> {
  const { at, difference, magnitude } = check;
  const direction = directionOf(check, 'noise');
  let squares = 0;
  for (const step of noiseSteps) {
    const [ahead, behind] = [moved(at, direction, step), moved(at, direction, -step)];
    squares += ((await difference(ahead, at)) + (await difference(behind, at))) ** 2;
  }
  // The variances of f(ahead) + f(behind) − 2·f(at) add up to six.
  return Math.max(Math.sqrt(squares / noiseSteps.length / 6), 0.5 * float32Epsilon * magnitude);
}

async function compare(check: GradientCheck, index: number, tolerance: number, noise: number): Promise<Comparison> {
  const { at, gradient, difference } = check;
  const direction = directionOf(check, String(index));
  // Of derivatives along such directions: their root mean square is about this.
  const scale = norm(gradient) * typicalSize(at);
  const roundingAt = (step: number) => (4 * noise) / step;
  const first = steps.findIndex((step) => step <= longestReliable && roundingAt(step) <= reliableRounding * scale);
  const tried: Comparison[] = [];
  for (const step of first < 0 ? steps : steps.slice(first, first + 4).reverse()) {
    const [ahead, behind] = [moved(at, direction, step), moved(at, direction, -step)];
    // Of the steps as rounded to float32.
    const predicted = gradient.reduce((sum, value, i) => sum + value * ((ahead[i] ?? 0) - (behind[i] ?? 0)), 0) / step;
    const found = (await difference(ahead, behind)) / step;
    const error = roundingAt(step);
    const isGood = Math.abs(found - predicted) <= tolerance * scale + error;
    const comparison = { direction, found, predicted, error, isGood };
    if (isGood) return comparison;
    tried.push(comparison);
  }
  return mostReliable(tried, tolerance * scale);
}

/**
 * The comparison with the least error, kinks and curvature included: what the derivative changes by between neighboring
 * steps. It is good where the gradient lies within twice that error.
 */
function mostReliable(tried: readonly Comparison[], allowed: number): Comparison {
  const estimates = tried.map((comparison, index) => {
    const neighbors = [tried[index - 1], tried[index + 1]].filter((neighbor) => neighbor !== undefined);
    const changes = neighbors.map(({ found }) => Math.abs(found - comparison.found));
    const error = comparison.error + Math.max(0, ...changes);
    return { ...comparison, error, isGood: Math.abs(comparison.found - comparison.predicted) <= allowed + 2 * error };
  });
  return estimates.reduce((best, one) => (one.error < best.error ? one : best));
}

function describeFailure(check: GradientCheck, comparisons: readonly Comparison[], tolerance: number): string {
  const rows = comparisons.map(
    ({ found, predicted, error, isGood }, index) =>
      `  direction ${index + 1}: differences ${found.toPrecision(5)} (± ${error.toPrecision(2)}), gradient ${predicted.toPrecision(5)}${isGood ? '' : ' ✗'}`,
  );
  const reason = diagnose(check.shape, check.gradient, comparisons, check.facts ?? {});
  return [
    `${check.label}: the gradient does not match finite differences (tolerance ${tolerance} of its norm, ${norm(check.gradient).toPrecision(5)}).`,
    ...rows,
    `  Likely reason: ${reason}.`,
  ].join('\n');
}

export function norm(values: ArrayLike<number>): number {
  let sum = 0;
  for (let index = 0; index < values.length; index++) sum += (values[index] ?? 0) ** 2;
  return Math.sqrt(sum);
}
