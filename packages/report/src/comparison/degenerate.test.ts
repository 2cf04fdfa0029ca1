import { bootstrapInterval, hedgesG, holm, meanInterval, pairedTest, welchTest } from '@localgrad/statistics';
import { describe, expect, it } from 'vitest';

const untested = { statistic: null, degreesOfFreedom: null, p: null, low: null, high: null, confidence: 0.95 };

describe('too few values', () => {
  it('give a mean without bounds', () => {
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

  it('give a difference without a test', () => {
    expect(welchTest([0.75], [0.25, 0.5, 0.75])).toEqual({ difference: 0.25, ...untested });
    expect(pairedTest([0.75], [0.25])).toEqual({ difference: 0.5, ...untested });
    expect(hedgesG([0.75], [0.25, 0.5, 0.75])).toEqual({ cohensD: null, hedgesG: null });
  });

  it('are refused where there are none', () => {
    expect(() => meanInterval([])).toThrow("meanInterval: 'values' is empty; allowed: one value or more.");
    expect(() => welchTest([1, 2], [])).toThrow("welchTest: 'b' is empty");
  });
});

describe('values that do not vary', () => {
  const constant = [0.1, 0.1, 0.1];

  it('give intervals of width zero', () => {
    expect(meanInterval(constant)).toMatchObject({ mean: 0.1, standardDeviation: 0, low: 0.1, high: 0.1 });
    expect(bootstrapInterval(constant, { seed: 1 })).toMatchObject({ estimate: 0.1, low: 0.1, high: 0.1 });
  });

  it('are tested where the other sample varies, and only there', () => {
    expect(welchTest(constant, [0.2, 0.2]).p).toBeNull();
    expect(hedgesG(constant, [0.2, 0.2]).hedgesG).toBeNull();
    const test = welchTest(constant, [0.2, 0.3, 0.4, 0.35]);
    expect(test.degreesOfFreedom).toBe(3);
    expect(test.p).toBeLessThan(0.05);
  });

  it('are not tested in pairs, rounding or not', () => {
    const test = pairedTest([0.3, 0.2, 0.8], [0.2, 0.1, 0.7]);
    expect(test).toEqual({ difference: expect.closeTo(0.1, 12), ...untested });
  });
});

describe('bootstrapInterval', () => {
  const values = [0.1, 0.5, 0.2, 0.9, 0.4];

  it('is the same for the same seed, and another for another', () => {
    // So few resamples that two seeds do not come to the same of so few possible means.
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

it('refuses what is no sample, no confidence and no p', () => {
  expect(() => meanInterval([1, Number.NaN])).toThrow("meanInterval: value 1 of 'values' is NaN");
  expect(() => meanInterval([1, 2], { confidence: 95 })).toThrow("option 'confidence' is 95");
  expect(() => bootstrapInterval([1, 2, 3], { seed: 1, resamples: 0 })).toThrow("option 'resamples' is 0");
  expect(() => pairedTest([1, 2], [1])).toThrow("'a' has 2 values and 'b' has 1");
  expect(() => holm([0.5, Number.NaN])).toThrow("option 'pValues'");
});
