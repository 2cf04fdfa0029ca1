import { expect, it } from 'vitest';
import { bootstrapInterval } from './bootstrap-interval.js';
import fixture from './fixtures/scipy.json' with { type: 'json' };
import { hedgesG } from './hedges-g.js';
import { holm } from './holm.js';
import { meanInterval } from './mean-interval.js';
import { pairedTest } from './paired-test.js';
import { criticalValue, twoSidedTail } from './student-t.js';
import { welchTest } from './welch-test.js';

function expectClose(actual: number | null | undefined, expected: number | undefined, tolerance = 1e-10): void {
  if (typeof actual !== 'number' || expected === undefined) throw new Error(`${actual} where ${expected} is expected`);
  expect(Math.abs(actual - expected)).toBeLessThanOrEqual(tolerance * Math.max(Math.abs(expected), 1e-300));
}

it.each(fixture.tails)('has the tail of scipy at t = $t with $degreesOfFreedom degrees of freedom', (tail) => {
  expectClose(twoSidedTail(tail.t, tail.degreesOfFreedom), tail.p, 1e-11);
  expect(twoSidedTail(-tail.t, tail.degreesOfFreedom)).toBe(twoSidedTail(tail.t, tail.degreesOfFreedom));
});

it.each(fixture.criticalValues)('has the critical value of scipy for $confidence, $degreesOfFreedom', (critical) => {
  expectClose(criticalValue(critical.confidence, critical.degreesOfFreedom), critical.value, 1e-11);
});

it.each(fixture.meanIntervals)('has the t interval of scipy for $confidence', ({ values, confidence, ...expected }) => {
  const interval = meanInterval(values, { confidence });
  expect(interval.n).toBe(values.length);
  expectClose(interval.mean, expected.mean);
  expectClose(interval.standardDeviation, expected.standardDeviation);
  expectClose(interval.low, expected.low);
  expectClose(interval.high, expected.high);
});

it.each([
  ...fixture.welch.map((expected) => ({ name: 'Welch', test: welchTest, expected })),
  ...fixture.paired.map((expected) => ({ name: 'paired', test: pairedTest, expected })),
])('has the $name test of scipy: t = $expected.statistic', ({ test, expected }) => {
  const { confidence } = expected;
  const result = test(expected.a, expected.b, { confidence });
  expectClose(result.difference, (expected.low + expected.high) / 2);
  expectClose(result.statistic, expected.statistic);
  expectClose(result.degreesOfFreedom, expected.degreesOfFreedom);
  expectClose(result.p, expected.p);
  expectClose(result.low, expected.low);
  expectClose(result.high, expected.high);
});

it.each(fixture.effects)('has Cohen’s d and Hedges’ g: $cohensD', ({ a, b, cohensD, hedgesG: corrected }) => {
  expectClose(hedgesG(a, b).cohensD, cohensD);
  expectClose(hedgesG(a, b).hedgesG, corrected);
});

it.each(fixture.holm)('adjusts like statsmodels: $p', ({ p, adjusted }) => {
  for (const [index, value] of holm(p).entries()) expectClose(value, adjusted[index], 1e-14);
});

const statistics: Record<string, (sample: readonly number[]) => number> = {
  mean: (sample) => sample.reduce((sum, value) => sum + value, 0) / sample.length,
  std: (sample) => {
    const mean = sample.reduce((sum, value) => sum + value, 0) / sample.length;
    return Math.sqrt(sample.reduce((sum, value) => sum + (value - mean) ** 2, 0) / sample.length);
  },
};

// A bound is a quantile of 10 000 samples: over ten seeds, the largest deviation from scipy's (200 000) was 3.5 % of the width.
it.each(fixture.bootstrap)(
  'has the BCa interval of scipy within 5 % of its width: $statistic, $confidence',
  (expected) => {
    const { values, confidence, low, high } = expected;
    const statistic = statistics[expected.statistic];
    if (statistic === undefined) throw new Error(`no statistic ${expected.statistic}`);
    const interval = bootstrapInterval(values, { confidence, seed: 1, statistic });
    const tolerance = 0.05 * (high - low);
    expect(Math.abs((interval.low ?? Number.NaN) - low)).toBeLessThan(tolerance);
    expect(Math.abs((interval.high ?? Number.NaN) - high)).toBeLessThan(tolerance);
  },
);
