import { describe, expect, it } from 'vitest';
import { bootstrapInterval } from './bootstrap-interval.js';
import { randomIntegers } from './random.js';

describe('bootstrapInterval', () => {
  // Published intervals must not change: these bounds are those of version 0.1.0.
  it.each([
    [0, 0.81042, 0.82502],
    [1, 0.81026, 0.8248599999999999],
    [2 ** 40 + 7, 0.8101, 0.8248599999999999],
  ])('returns the same bits for seed %d on every machine', (seed, low, high) => {
    const interval = bootstrapInterval([0.8123, 0.8217, 0.8055, 0.8301, 0.8174], { seed });
    expect(interval).toEqual({ n: 5, estimate: 0.8174, confidence: 0.95, resamples: 10_000, low, high });
  });

  it('rejects seeds that are not integers from 0 to 2^53 − 1', () => {
    for (const seed of [-1, 0.5, 2 ** 53, Number.NaN]) {
      expect(() => bootstrapInterval([1, 2, 3], { seed })).toThrow(RangeError);
    }
  });
});

describe('randomIntegers', () => {
  const draws = (seed: number, stream: string) => {
    const draw = randomIntegers(seed, stream);
    return Array.from({ length: 8 }, () => draw(1000));
  };

  it('repeats for a seed and differs between seeds and streams', () => {
    expect(draws(1, 'a')).toEqual(draws(1, 'a'));
    expect(draws(2, 'a')).not.toEqual(draws(1, 'a'));
    expect(draws(1, 'b')).not.toEqual(draws(1, 'a'));
    expect(draws(2 ** 32 + 1, 'a')).not.toEqual(draws(1, 'a'));
  });

  it('covers every integer of its range', () => {
    const draw = randomIntegers(3, '');
    expect(new Set(Array.from({ length: 200 }, () => draw(5)))).toEqual(new Set([0, 1, 2, 3, 4]));
  });
});
