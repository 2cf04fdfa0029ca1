import { clockAt, endOfTraining, startOfTraining, weightAt } from '@localgrad/core';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { parseLossWeight } from './loss-weight.js';

const end = fc
  .double({ min: 0, max: 10, noNaN: true, noDefaultInfinity: true })
  .map((value) => Number(value.toFixed(4)));

it('ramps evenly from exactly the first value in the first step to exactly the second one in the last', () => {
  fc.assert(
    fc.property(end, end, fc.integer({ min: 1, max: 5 }), fc.integer({ min: 2, max: 40 }), (from, to, epochs, each) => {
      const weight = parseLossWeight('mlm', 'cascadeWeight', `${from}..${to}`);
      const steps = epochs * each;
      const weights = Array.from({ length: steps }, (_, step) => weightAt(weight, clockAt(step, epochs, each)));
      expect([weights[0], weights.at(-1)]).toEqual([from, to]);
      weights.forEach((value, step) => {
        expect(value).toBeCloseTo(from + ((to - from) * step) / (steps - 1), 10);
      });
    }),
  );
});

it('has the values 0, 1/9, …, 1 in ten steps', () => {
  const weight = parseLossWeight('mlm', 'cascadeWeight', '0..1');
  const weights = Array.from({ length: 10 }, (_, step) => weightAt(weight, clockAt(step, 2, 5)));
  expect(weights).toEqual(Array.from({ length: 10 }, (_, step) => step / 9));
});

it('has the first value in a single step, and the second one at the end of training', () => {
  const weight = parseLossWeight('mlm', 'cascadeWeight', '0.25..1');
  expect([clockAt(0, 1, 1), startOfTraining, endOfTraining].map((clock) => weightAt(weight, clock))).toEqual([
    0.25, 0.25, 1,
  ]);
});
