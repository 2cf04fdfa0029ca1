/** Facts about a gradient besides its values. */
export interface GradientFacts {
  readonly batch?: number;
  /** Requested weight of the gradient. */
  readonly weight?: number;
}

/** Two estimates of the derivative along one direction. */
export interface Comparison {
  readonly direction: Float64Array;
  /** From finite differences. */
  readonly found: number;
  /** From the gradient. */
  readonly predicted: number;
  /** Estimated error of `found`. */
  readonly error: number;
  readonly isGood: boolean;
}

/** Describes the likely reason for a wrong gradient, as a phrase. */
export function diagnose(
  shape: readonly number[],
  gradient: Float32Array,
  comparisons: readonly Comparison[],
  facts: GradientFacts,
): string {
  const numbers = comparisons.flatMap(({ found, predicted }) => [found, predicted]);
  if (!numbers.every(Number.isFinite) || !gradient.every(Number.isFinite))
    return 'NaN or infinity in function or gradient';
  const found = comparisons.map((comparison) => comparison.found);
  const predicted = comparisons.map((comparison) => comparison.predicted);
  const isNothing = (values: readonly number[]) =>
    comparisons.every(({ error }, index) => Math.abs(values[index] ?? 0) <= 3 * error);
  if (gradient.every((value) => value === 0)) return 'the gradient is zero: a missing term, or a detached path';
  if (isNothing(found)) return 'the function does not depend on this tensor, but the gradient is not zero';
  const factor = commonFactor(found, predicted);
  if (factor !== undefined) return factorReason(factor, facts);
  const flipped = transposed(shape, gradient);
  if (flipped !== undefined) {
    const products = comparisons.map(({ direction }) => 2 * dot(flipped, direction));
    if (commonFactor(found, products) !== undefined)
      return 'the gradient is transposed (its last two axes are swapped)';
  }
  return 'a wrong or missing term; no common factor explains the differences';
}

/** found ≈ factor · predicted in every direction. */
function commonFactor(found: readonly number[], predicted: readonly number[]): number | undefined {
  const square = dot(predicted, predicted);
  if (square === 0) return undefined;
  const factor = dot(found, predicted) / square;
  const rest = found.map((value, index) => value - factor * (predicted[index] ?? 0));
  return dot(rest, rest) < 0.05 ** 2 * dot(found, found) ? factor : undefined;
}

function factorReason(factor: number, { batch, weight }: GradientFacts): string {
  const isNear = (value: number | undefined) => value !== undefined && Math.abs(factor / value - 1) < 0.05;
  const shown = factor.toPrecision(3);
  if (isNear(-1)) return 'the sign: the gradient must be multiplied by −1';
  if (weight !== undefined && weight !== 1) {
    if (isNear(weight)) return `the factor 'weight' (${weight}) is missing in the gradient`;
    if (isNear(1 / weight))
      return `the factor 'weight' (${weight}) is applied twice in the gradient, or also in the loss`;
  }
  if (batch !== undefined && batch > 2) {
    if (isNear(batch)) return `the gradient is divided by the batch size (${batch}), but the function is not a mean`;
    if (isNear(1 / batch))
      return `the function is a mean over the batch, but the gradient is not divided by its size (${batch})`;
  }
  if (isNear(2)) return 'a missing factor 2, as in the derivative of a square';
  if (isNear(0.5)) return 'an extra factor 2, as from a term that is counted twice';
  return `a constant factor: the gradient must be multiplied by ${shown}`;
}

/** The gradient with its last two axes swapped; undefined unless they have equal length. */
function transposed(shape: readonly number[], gradient: Float32Array): Float32Array | undefined {
  const [rows = 1, columns = 1] = shape.slice(-2);
  if (shape.length < 2 || rows !== columns || rows === 1) return undefined;
  const area = rows * columns;
  return gradient.map((_, index) => {
    const within = index % area;
    const row = Math.floor(within / columns);
    return gradient[index - within + (within % columns) * columns + row] ?? 0;
  });
}

function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let index = 0; index < a.length; index++) sum += (a[index] ?? 0) * (b[index] ?? 0);
  return sum;
}
