import { createRandom } from '@localgrad/nn/random';
import { type Comparison, diagnose, type GradientFacts } from './diagnosis.js';

/** A gradient with its function. */
export interface GradientCheck {
  /** Name of the tensor in messages: `block 'stem': weight 'conv1.weight'`. */
  readonly label: string;
  readonly shape: readonly number[];
  /** Point at which the gradient was computed. */
  readonly at: Float32Array;
  readonly gradient: Float32Array;
  /** Computes f(a) − f(b), subtracted in float64. */
  readonly difference: (a: Float32Array, b: Float32Array) => Promise<number>;
  /**
   * Magnitude of the float32 numbers from which `difference` is computed; determines a lower bound for its rounding
   * error.
   */
  readonly magnitude: number;
  readonly facts?: GradientFacts;
}

export interface GradientOptions {
  /** Allowed error, relative to the gradient's norm; default 0.02. */
  readonly tolerance?: number;
  /** Random directions along which the gradient is checked; default 3. */
  readonly directions?: number;
}

/** Relative step sizes. Small steps cross fewer kinks; large steps suffer less from rounding. */
const steps = [1e-5, 3e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1] as const;
/** Steps so small that function differences are only rounding. */
const noiseSteps = [2e-6, 4e-6, 8e-6] as const;
/** A step is reliable if its rounding error is below this fraction of the gradient's norm. */
const reliableRounding = 0.2;
/** Larger steps are only used if no smaller one is reliable. */
const longestReliable = 1e-2;
const float32Epsilon = 2 ** -24;

/**
 * Compares a gradient with central differences along random directions, most of which must agree. Steps are relative to
 * each coordinate's magnitude; the smallest steps with reliable rounding are used, so that kinks and curvature do not
 * matter. If these or rounding hide the derivative, the gradient must lie within their measured error.
 *
 * @throws Error with the numbers and the likely reason
 */
export async function checkGradient(check: GradientCheck, options: GradientOptions = {}): Promise<void> {
  const { tolerance = 0.02, directions = 3 } = options;
  // Gradients that agree even if only the result is rounded need no measurement, which takes most evaluations.
  const quick = await compareMost(check, directions, tolerance, smallestNoise(check));
  if (isMost(quick, directions)) return;
  const comparisons = await compareMost(check, directions, tolerance, await measureNoise(check));
  if (!isMost(comparisons, directions)) throw new Error(describeFailure(check, comparisons, tolerance));
}

/** Comparisons along the directions, up to the one that decides that most of them agree. */
async function compareMost(
  check: GradientCheck,
  directions: number,
  tolerance: number,
  noise: number,
): Promise<readonly Comparison[]> {
  const comparisons: Comparison[] = [];
  for (let index = 0; index < directions && !isMost(comparisons, directions); index++) {
    comparisons.push(await compare(check, index, tolerance, noise));
  }
  return comparisons;
}

function isMost(comparisons: readonly Comparison[], directions: number): boolean {
  return comparisons.filter(({ isGood }) => isGood).length >= (2 / 3) * directions;
}

/** Root mean square of the coordinates; 1 if all are 0. */
function typicalSize(at: Float32Array): number {
  return norm(at) / Math.sqrt(at.length) || 1;
}

/** A random direction, with each coordinate proportional to its magnitude. */
function directionOf({ label, at }: GradientCheck, seed: string): Float64Array {
  const random = createRandom(0, `direction/${seed}/${label}`);
  const typical = typicalSize(at);
  return Float64Array.from(at, (value) => random.normal() * (Math.abs(value) + typical) * 0.5);
}

function moved(at: Float32Array, direction: Float64Array, step: number): Float32Array {
  return at.map((value, index) => value + step * (direction[index] ?? 0));
}

/** Estimates the standard deviation of the function's rounding error from second differences at negligible steps. */
async function measureNoise(check: GradientCheck): Promise<number> {
  const { at, difference } = check;
  const direction = directionOf(check, 'noise');
  let squares = 0;
  for (const step of noiseSteps) {
    const [ahead, behind] = [moved(at, direction, step), moved(at, direction, -step)];
    squares += ((await difference(ahead, at)) + (await difference(behind, at))) ** 2;
  }
  // The variances of f(ahead) + f(behind) − 2·f(at) add up to six.
  return Math.max(Math.sqrt(squares / noiseSteps.length / 6), smallestNoise(check));
}

/** Rounding error of the result alone. */
function smallestNoise({ magnitude }: GradientCheck): number {
  return 0.5 * float32Epsilon * magnitude;
}

async function compare(check: GradientCheck, index: number, tolerance: number, noise: number): Promise<Comparison> {
  const { at, gradient, difference } = check;
  const direction = directionOf(check, String(index));
  // Approximate root mean square of the derivatives along such directions.
  const scale = norm(gradient) * typicalSize(at);
  const roundingAt = (step: number) => (4 * noise) / step;
  const first = steps.findIndex((step) => step <= longestReliable && roundingAt(step) <= reliableRounding * scale);
  const tried: Comparison[] = [];
  for (const step of first < 0 ? steps : steps.slice(first, first + 4).reverse()) {
    const [ahead, behind] = [moved(at, direction, step), moved(at, direction, -step)];
    // Uses the steps as rounded to float32.
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
 * The comparison with the smallest error, including that of kinks and curvature, estimated by the change of the
 * derivative between neighboring steps. It agrees if the gradient lies within twice that error.
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
