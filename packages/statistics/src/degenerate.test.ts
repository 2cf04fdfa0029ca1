import { describe, expect, it } from 'vitest';
import { bootstrapInterval, hedgesG, holm, meanInterval, pairedTest, welchTest } from './index.js';

const untested = { statistic: null, degreesOfFreedom: null, p: null, low: null, high: null, confidence: 0.95 };

describe('samples with too few values', () => {
  it('have a mean without bounds', () => {
    expect(meanInterval([0.9])).toEqual({
      n: 1,
      mean: 0.9,
      standardDeviation: null,
      low: null,
      high: null,
      confidence: 0.95,
    });
    expect(bootstrapInterval([0.9, 0.8], { seed: 1 })).toMatchObject({ n: 2, low: null, high: null });
  });

  it('have a difference without a test', () => {
    expect(welchTest([0.75], [0.25, 0.5, 0.75])).toEqual({ difference: 0.25, ...untested });
    expect(pairedTest([0.75], [0.25])).toEqual({ difference: 0.5, ...untested });
    expect(hedgesG([0.75], [0.25, 0.5, 0.75])).toEqual({ cohensD: null, hedgesG: null });
  });

  it('are rejected if they are empty', () => {
    expect(() => meanInterval([])).toThrow("meanInterval: 'values' is empty; at least one value is required.");
    expect(() => welchTest([1, 2], [])).toThrow("welchTest: 'b' is empty");
  });
});

describe('constant samples', () => {
  const constant = [0.1, 0.1, 0.1];

  it('have intervals of width zero', () => {
    expect(meanInterval(constant)).toMatchObject({ mean: 0.1, standardDeviation: 0, low: 0.1, high: 0.1 });
    expect(bootstrapInterval(constant, { seed: 1 })).toMatchObject({ estimate: 0.1, low: 0.1, high: 0.1 });
  });

  it('are tested only if the other sample varies', () => {
    expect(welchTest(constant, [0.2, 0.2]).p).toBeNull();
    expect(hedgesG(constant, [0.2, 0.2]).hedgesG).toBeNull();
    const test = welchTest(constant, [0.2, 0.3, 0.4, 0.35]);
    expect(test.degreesOfFreedom).toBe(3);
    expect(test.p).toBeLessThan(0.05);
  });

  it('are not tested in pairs, even if the differences vary by rounding', () => {
    const test = pairedTest([0.3, 0.2, 0.8], [0.2, 0.1, 0.7]);
    expect(test).toEqual({ difference: expect.closeTo(0.1, 12), ...untested });
  });
});

describe('samples that differ only by rounding', () => {
  const rounded = [0.1 + 0.2, 0.3, 0.3];

  it('do not vary', () => {
    expect(rounded[0]).not.toBe(rounded[1]);
    expect(meanInterval(rounded)).toMatchObject({ standardDeviation: 0 });
    expect(welchTest(rounded, [0.5, 0.5, 0.5])).toEqual({ difference: expect.closeTo(-0.2, 12), ...untested });
    expect(hedgesG(rounded, [0.5, 0.5, 0.5])).toEqual({ cohensD: null, hedgesG: null });
  });

  it('have equal means in any order', () => {
    const one = [0.1, 0.2, 0.4];
    const other = one.toReversed();
    expect(meanInterval(one).mean).not.toBe(meanInterval(other).mean);
    expect(welchTest(one, other)).toMatchObject({ difference: 0, statistic: 0, p: 1 });
    expect(pairedTest(one, other).difference).toBe(0);
    expect(hedgesG(one, other).hedgesG).toBe(0);
    // Small numbers are not rounding.
    expect(welchTest([1e-20, 2e-20], [3e-20, 5e-20]).difference).toBeCloseTo(-2.5e-20, 30);
  });
});

describe('bootstrapInterval', () => {
  const values = [0.1, 0.5, 0.2, 0.9, 0.4];

  it('repeats for a seed and differs between seeds', () => {
    // With more resamples, two seeds could yield the same of the few possible means.
    const drawn = (seed: number) => bootstrapInterval(values, { seed, resamples: 50 });
    expect(drawn(1)).toEqual(drawn(1));
    expect(drawn(2)).not.toEqual(drawn(1));
  });

  it('has finite bounds for a statistic at the edge of its replicates', () => {
    const maximum = (sample: readonly number[]): number => Math.max(...sample);
    const { low, high } = bootstrapInterval(values, { seed: 1, statistic: maximum });
    expect(values).toContain(low);
    expect(high).toBe(0.9);
  });
});

it('throws a RangeError for non-finite values and for options outside their range', () => {
  expect(() => meanInterval([1, Number.NaN])).toThrow("meanInterval: value 1 of 'values' is NaN");
  expect(() => meanInterval([1, 2], { confidence: 95 })).toThrow("'confidence' is 95");
  expect(() => bootstrapInterval([1, 2, 3], { seed: 1, resamples: 0 })).toThrow("'resamples' is 0");
  expect(() => pairedTest([1, 2], [1])).toThrow("'a' has 2 values and 'b' has 1");
  expect(() => holm([0.5, Number.NaN])).toThrow("'pValues' contains NaN");
});
