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
  /** Size of the float32 numbers of which `difference` is made; its rounding error follows from it. */
  readonly magnitude: number;
  readonly facts?: GradientFacts;
}

export interface GradientOptions {
  /** Allowed error, relative to the gradient's norm; default 0.02. */
  readonly tolerance?: number;
  /** Random directions along which the gradient is checked; default 3. */
  readonly directions?: number;
}

/** Relative steps, in the order in which they are tried. */
const steps = [3e-3, 1e-3, 1e-2, 3e-4, 3e-2, 1e-4, 1e-1] as const;
const float32Epsilon = 2 ** -24;

/**
 * Compares a gradient with central differences along random directions. Steps are relative to each coordinate's size and
 * chosen for the least error: kinks and curvature at long steps, rounding at short ones. A direction along which the
 * function cannot be resolved does not count.
 *
 * @throws Error with the numbers and the likely reason
 */
export async function checkGradient(check: GradientCheck, options: GradientOptions = {}): Promise<void> {
  const { tolerance = 0.02, directions = 3 } = options;
  const comparisons: Comparison[] = [];
  for (let index = 0; index < directions; index++) comparisons.push(await compare(check, index, tolerance));
  if (comparisons.every(({ isGood }) => isGood)) return;
  throw new Error(describeFailure(check, comparisons, tolerance));
}

async function compare(check: GradientCheck, index: number, tolerance: number): Promise<Comparison> {
  const { label, at, gradient, difference, magnitude } = check;
  const random = createRandom(index, `direction/${label}`);
  const typical = norm(at) / Math.sqrt(at.length) || 1;
  const direction = Float64Array.from(at, (value) => random.normal() * (Math.abs(value) + typical) * 0.5);
  // Of derivatives along such directions: their root mean square is about this.
  const scale = norm(gradient) * typical;
  const tried: Trial[] = [];
  for (const step of steps) {
    const ahead = Float32Array.from(at, (value, i) => value + step * (direction[i] ?? 0));
    const behind = Float32Array.from(at, (value, i) => value - step * (direction[i] ?? 0));
    // Of the steps as rounded to float32.
    const predicted = gradient.reduce((sum, value, i) => sum + value * ((ahead[i] ?? 0) - (behind[i] ?? 0)), 0) / step;
    const found = (await difference(ahead, behind)) / step;
    const rounding = (4 * float32Epsilon * magnitude) / step;
    tried.push({ step, found, predicted, rounding });
    if (Math.abs(found - predicted) <= tolerance * scale && rounding <= tolerance * scale) break;
  }
  const best = mostReliable(tried);
  const isGood = Math.abs(best.found - best.predicted) <= tolerance * scale + best.error;
  return { direction, found: best.found, predicted: best.predicted, error: best.error, isGood };
}

interface Trial {
  readonly step: number;
  readonly found: number;
  readonly predicted: number;
  readonly rounding: number;
}

/** The trial that differs least from its neighbor, rounding included; the last one where it ended the search. */
function mostReliable(tried: readonly Trial[]): Trial & { readonly error: number } {
  const last = tried.at(-1);
  if (last === undefined) throw new Error('no steps');
  if (tried.length < steps.length) return { ...last, error: last.rounding };
  const sorted = tried.toSorted((a, b) => a.step - b.step);
  const estimates = sorted.slice(1).map((trial, index) => {
    const shorter = sorted[index] ?? trial;
    return { ...trial, error: Math.abs(trial.found - shorter.found) + shorter.rounding };
  });
  return estimates.reduce((best, one) => (one.error < best.error ? one : best), { ...last, error: Infinity });
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
