import * as tf from '@tensorflow/tfjs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { useVariants } from './variants.fixture.js';

/** erf by its Taylor series, or 1 beyond float32's last digit; in float64 its terms lose no digit that counts up to 4. */
function erf(x: number): number {
  if (Math.abs(x) > 4) return Math.sign(x);
  let [term, sum] = [x, x];
  for (let n = 1; n < 120; n++) {
    term *= -(x * x) / n;
    sum += term / (2 * n + 1);
  }
  return (2 / Math.sqrt(Math.PI)) * sum;
}

const special = [0, -0, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 1e-42, -1e-42];
const unit = 2 ** -23;

describe.each(['one', 'fusedThree'] as const)('functions of elements, %s', (variant) => {
  const variants = useVariants();
  const results = (name: 'exp' | 'erf', x: Float32Array) =>
    tf.tidy(() => Float32Array.from(variants()[variant][name](tf.tensor1d(x)).dataSync()));

  it('exp differs from the exact value by at most 2 units in the last place, also near its bounds', () => {
    const grid = Float32Array.from({ length: 40_001 }, (_, index) => -105 + index * 0.00485);
    const found = results('exp', grid);
    for (const [index, x] of grid.entries()) {
      const exact = Math.exp(x);
      if (exact > 3.4028234e38) expect(found[index]).toBe(Number.POSITIVE_INFINITY);
      else expect(Math.abs((found[index] ?? Number.NaN) - exact)).toBeLessThanOrEqual(2 * unit * exact + 2 ** -149);
    }
  });

  it('erf differs by at most 3·10⁻⁷, and relative to small results by 4 units in the last place', () => {
    const grid = Float32Array.from({ length: 20_001 }, (_, index) => -5 + index * 0.0005);
    const found = results('erf', grid);
    for (const [index, x] of grid.entries()) {
      const exact = erf(x);
      const error = Math.abs((found[index] ?? Number.NaN) - exact);
      expect(error).toBeLessThanOrEqual(Math.abs(x) < 0.5 ? 4 * unit * Math.abs(exact) : 3e-7);
    }
  });

  it('keep zeros, infinities and NaN', () => {
    const x = Float32Array.from(special);
    expect([...results('exp', x)]).toEqual([1, 1, Number.NaN, Number.POSITIVE_INFINITY, 0, 1, 1]);
    expect([...results('erf', x)].slice(0, 5)).toEqual([0, -0, Number.NaN, 1, -1]);
  });

  it('compute each element by itself, wherever it stands', () => {
    const numbers = fc.float32Array({ minLength: 1, maxLength: 40 });
    fc.assert(
      fc.property(numbers, (x) => {
        for (const name of ['exp', 'erf'] as const) {
          const alone = [...x].flatMap((value) => [...results(name, Float32Array.of(value))]);
          expect([...results(name, x)]).toEqual(alone);
        }
      }),
      { numRuns: 50 },
    );
  });
});
