import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bootstrapInterval } from './bootstrap-interval.js';
import { hedgesG } from './hedges-g.js';
import { holm } from './holm.js';
import { meanInterval } from './mean-interval.js';
import { pairedTest } from './paired-test.js';
import { welchTest } from './welch-test.js';

const value = fc.double({ min: -100, max: 100, noNaN: true });
const sample = fc
  .array(value, { minLength: 3, maxLength: 12 })
  .filter((values) => Math.max(...values) - Math.min(...values) > 1e-3);
const scale = fc.double({ min: 0.01, max: 100, noNaN: true });
const confidence = fc.double({ min: 0.5, max: 0.999, noNaN: true });

function expectNear(actual: number | null | undefined, expected: number | null | undefined, unit: number): void {
  expect(Math.abs((actual ?? Number.NaN) - (expected ?? Number.NaN))).toBeLessThanOrEqual(1e-9 * unit);
}

describe('meanInterval', () => {
  it('contains the mean, and widens with the confidence level', () => {
    fc.assert(
      fc.property(sample, confidence, (values, share) => {
        const { mean, low, high } = meanInterval(values, { confidence: share });
        const wider = meanInterval(values, { confidence: (1 + share) / 2 });
        expect(low).toBeLessThan(mean);
        expect(high).toBeGreaterThan(mean);
        expect(wider.low).toBeLessThan(low ?? Number.NaN);
        expect(wider.high).toBeGreaterThan(high ?? Number.NaN);
      }),
    );
  });

  it('shifts and scales with its values', () => {
    fc.assert(
      fc.property(sample, value, scale, (values, shift, factor) => {
        const before = meanInterval(values);
        const after = meanInterval(values.map((one) => one * factor + shift));
        const unit = 1000 * factor + 1000;
        expectNear(after.mean, before.mean * factor + shift, unit);
        expectNear(after.low, (before.low ?? Number.NaN) * factor + shift, unit);
        expectNear(after.high, (before.high ?? Number.NaN) * factor + shift, unit);
      }),
    );
  });
});

describe('bootstrapInterval', () => {
  const options = { resamples: 400, seed: 3 };

  it('stays within the values and is ordered', () => {
    fc.assert(
      fc.property(sample, (values) => {
        const { low, high } = bootstrapInterval(values, options);
        const rounding = 1e-12 * Math.max(...values.map(Math.abs));
        expect(low).toBeLessThanOrEqual(high ?? Number.NaN);
        expect(low).toBeGreaterThanOrEqual(Math.min(...values) - rounding);
        expect(high).toBeLessThanOrEqual(Math.max(...values) + rounding);
      }),
    );
  });

  it('shifts and scales with its values', () => {
    const tenths = fc.array(fc.integer({ min: -50, max: 50 }), { minLength: 3, maxLength: 8 });
    fc.assert(
      fc.property(tenths, fc.integer({ min: -9, max: 9 }), scale, (values, shift, factor) => {
        const before = bootstrapInterval(values, options);
        const after = bootstrapInterval(
          values.map((one) => one * factor + shift),
          options,
        );
        expectNear(after.low, (before.low ?? Number.NaN) * factor + shift, 100 * factor + 100);
        expectNear(after.high, (before.high ?? Number.NaN) * factor + shift, 100 * factor + 100);
      }),
    );
  });
});

describe('welchTest, pairedTest and hedgesG', () => {
  it('change only their signs when the samples are swapped', () => {
    fc.assert(
      fc.property(sample, sample, (a, b) => {
        const [one, other] = [welchTest(a, b), welchTest(b, a)];
        expect(other.p).toBe(one.p);
        expectNear(other.difference, -one.difference, 100);
        expectNear(other.low, -(one.high ?? Number.NaN), 1000);
        expectNear(hedgesG(b, a).hedgesG, -(hedgesG(a, b).hedgesG ?? Number.NaN), 1e6);
      }),
    );
  });

  it('exclude zero at 95 % exactly where p is below 0.05', () => {
    fc.assert(
      fc.property(sample, sample, value, (a, b, shift) => {
        const moved = a.map((one) => one + shift);
        const size = Math.min(a.length, b.length);
        for (const test of [welchTest(moved, b), pairedTest(moved.slice(0, size), b.slice(0, size))]) {
          if (test.p === null || test.low === null || test.high === null || Math.abs(test.p - 0.05) < 1e-9) continue;
          expect(test.low > 0 || test.high < 0).toBe(test.p < 0.05);
        }
      }),
    );
  });

  it('shrink Cohen’s d towards zero', () => {
    fc.assert(
      fc.property(sample, sample, (a, b) => {
        const { cohensD, hedgesG: corrected } = hedgesG(a, b);
        expect(Math.abs(corrected ?? Number.NaN)).toBeLessThanOrEqual(Math.abs(cohensD ?? Number.NaN));
        expect(Math.sign(corrected ?? Number.NaN)).toBe(Math.sign(cohensD ?? Number.NaN));
      }),
    );
  });
});

describe('holm', () => {
  const pValues = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 20 });

  it('lies between p and the Bonferroni correction, and preserves the order', () => {
    fc.assert(
      fc.property(pValues, (values) => {
        const adjusted = holm(values);
        const pairs = values.map((p, index) => [p, adjusted[index] ?? Number.NaN] as const);
        for (const [p, after] of pairs) {
          expect(after).toBeGreaterThanOrEqual(p);
          expect(after).toBeLessThanOrEqual(Math.min(1, p * values.length));
        }
        const ascending = pairs.toSorted(([one], [other]) => one - other).map(([, after]) => after);
        expect(ascending).toEqual(ascending.toSorted((one, other) => one - other));
      }),
    );
  });

  it('does not depend on the order of its family', () => {
    fc.assert(
      fc.property(pValues, (values) => {
        expect(holm(values.toReversed())).toEqual(holm(values).toReversed());
      }),
    );
  });
});
