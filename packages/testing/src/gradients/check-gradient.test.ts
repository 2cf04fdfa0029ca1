import { createRandom } from '@localgrad/nn/random';
import { describe, expect, it } from 'vitest';
import { checkGradient, type GradientCheck, norm } from './check-gradient.js';

const shape = [4, 6, 6];
const size = 144;
const random = createRandom(1);
const draw = () => Float32Array.from({ length: size }, () => random.normal());
const at = draw();
const slope = draw();
const round = Math.fround;

/** A float32 function with its exact gradient: Σ slope·relu(x)²/2 + mean of the slope, with kinks at 0. */
const smooth = (x: Float32Array) =>
  x.reduce((sum, value, index) => sum + (slope[index] ?? 0) * Math.max(0, value) ** 2, 0);
const smoothGradient = at.map((value, index) => 2 * (slope[index] ?? 0) * Math.max(0, value));
/** Linear on both sides of many kinks. */
const kinked = (x: Float32Array) => x.reduce((sum, value, index) => sum + (slope[index] ?? 0) * Math.abs(value), 0);
const kinkedGradient = at.map((value, index) => (slope[index] ?? 0) * Math.sign(value));
/** Asymmetric in its last two axes. */
const bilinear = (x: Float32Array) =>
  x.reduce((sum, value, index) => sum + value * (slope[index] ?? 0), 0) + 0.001 * smooth(x);
const bilinearGradient = slope.map((value, index) => value + 0.001 * (smoothGradient[index] ?? 0));

function check(
  f: (x: Float32Array) => number,
  gradient: Float32Array,
  facts: GradientCheck['facts'] = {},
  precision: (value: number) => number = round,
): Promise<void> {
  return checkGradient({
    label: "weight 'w'",
    shape,
    at,
    gradient,
    facts,
    magnitude: Math.abs(f(at)),
    difference: async (a, b) => precision(f(a)) - precision(f(b)),
  });
}

describe('checkGradient', () => {
  it('accepts correct gradients of smooth and kinked functions in float32', async () => {
    await check(smooth, smoothGradient);
    await check(kinked, kinkedGradient);
    await check(bilinear, bilinearGradient);
  });

  it('accepts a tiny gradient that is hidden by the rounding of a large value', async () => {
    await check(
      (x) => 1e6 + 1e-6 * smooth(x),
      smoothGradient.map((value) => 1e-6 * value),
    );
  });

  it('accepts a steep function', async () => {
    const steep = (x: Float32Array) => Math.tanh(40 * bilinear(x) - 40 * bilinear(at));
    await check(
      steep,
      bilinearGradient.map((value) => 40 * value),
      {},
      (value) => value,
    );
  });

  it.each<[string, GradientCheck['facts'], (value: number) => number, RegExp]>([
    ['a missing factor 2', {}, (value) => value / 2, /missing factor 2, as in the derivative of a square/],
    ['an extra factor 2', {}, (value) => 2 * value, /extra factor 2/],
    ['a wrong sign', {}, (value) => -value, /the sign/],
    ['a missing weight', { weight: 0.25 }, (value) => 4 * value, /'weight' \(0.25\) is missing/],
    [
      'a weight that is applied twice',
      { weight: 0.25 },
      (value) => value / 4,
      /'weight' \(0.25\) is applied twice in the gradient/,
    ],
    ['a sum instead of a mean', { batch: 16 }, (value) => 16 * value, /not divided by its size \(16\)/],
    ['a mean instead of a sum', { batch: 16 }, (value) => value / 16, /divided by the batch size \(16\)/],
    ['another factor', {}, (value) => value / 3.3, /multiplied by 3.30/],
    ['zero', {}, () => 0, /gradient is zero/],
    ['NaN', {}, () => Number.NaN, /NaN or infinity/],
  ])('reports %s with numbers and the likely reason', async (_, facts, change, reason) => {
    const failure = check(smooth, smoothGradient.map(change), facts);
    await expect(failure).rejects.toThrow(reason);
    await expect(failure).rejects.toThrow(/^weight 'w': the gradient does not match finite differences/);
    if (reason.source !== 'NaN or infinity')
      await expect(failure).rejects.toThrow(/direction 1: differences -?\d.*gradient .*✗/);
  });

  it('reports a transposed gradient, a missing term, and a nonzero gradient of an unused tensor', async () => {
    const swapped = bilinearGradient.map((_, index) => {
      const [block, row, column] = [Math.floor(index / 36), Math.floor(index / 6) % 6, index % 6];
      return bilinearGradient[36 * block + 6 * column + row] ?? 0;
    });
    await expect(check(bilinear, swapped)).rejects.toThrow(/transposed/);
    const partial = bilinearGradient.map((value, index) => (index % 2 === 0 ? value : 0));
    await expect(check(bilinear, partial)).rejects.toThrow(/missing term/);
    await expect(check(() => 3, bilinearGradient)).rejects.toThrow(/does not depend/);
  });

  it('detects an error of five percent', async () => {
    await expect(
      check(
        smooth,
        smoothGradient.map((value) => 1.05 * value),
      ),
    ).rejects.toThrow(/multiplied by 0.952/);
    expect(norm([3, 4])).toBe(5);
  });
});
