import { createRandom } from '@localgrad/nn/random';

export type Shape = readonly number[];

/**
 * What an input's numbers are: normal by default; `negative`: all below 0; `tied`: small integers; `squared`: none below 0;
 * `nonFinite`: with NaN, Infinity and −Infinity in between.
 */
export type ValueKind = 'normal' | 'negative' | 'zero' | 'tied' | 'squared' | 'nonFinite';

/** Reproducible numbers of a kind; `offset` moves those that are not finite. */
export function drawValues(shape: Shape, name: string, kind: ValueKind, offset = 0): Float32Array {
  const random = createRandom(5, name);
  const size = shape.reduce((product, length) => product * length, 1);
  return Float32Array.from({ length: size }, (_, index) => draws[kind](random.normal(), index + offset));
}

const draws: Readonly<Record<ValueKind, (normal: number, index: number) => number>> = {
  normal: (normal) => normal,
  negative: (normal) => -Math.abs(normal) - 0.1,
  zero: () => 0,
  tied: (normal) => Math.round(normal),
  squared: (normal) => normal ** 2,
  // Far enough apart that no window of the cases has two NaN.
  nonFinite: (normal, index) => nonFinite[index % 97] ?? normal,
};

const nonFinite: Readonly<Record<number, number>> = {
  5: Number.NaN,
  20: Number.POSITIVE_INFINITY,
  40: Number.NEGATIVE_INFINITY,
  41: Number.NEGATIVE_INFINITY,
};
