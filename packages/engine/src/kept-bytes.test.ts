import { describe, expect, it } from 'vitest';
import { type KeptBySegment, keptBetweenSteps, keptWithinStep } from './kept-bytes.js';

const first: KeptBySegment = {
  oldest: 2,
  inputBytes: 1200,
  isBatch: true,
  weightBytes: 10,
  youngBytes: 60,
  oldBytes: 60,
  isReceived: true,
};
const second: KeptBySegment = { ...first, oldest: 1, inputBytes: 60, isBatch: false, oldBytes: 0 };
const third: KeptBySegment = { ...second, oldest: 0, youngBytes: 0 };
const segments = [first, second, third];

const within = (part: number, parts: number) =>
  segments.map((_, index) => keptWithinStep(segments, index, { part, parts }));

describe('kept bytes', () => {
  it('between steps are inputs, weights and gradients of all steps in which they are needed', () => {
    expect(keptBetweenSteps(segments, 1)).toBe(2 * 1210 + 70 + 120 + 60);
    expect(keptBetweenSteps(segments, 3)).toBe(2 * 1210 + 70 + 3 * (120 + 60));
  });

  it('within a step do not count the batch twice, nor gradients that have been used', () => {
    // The second segment has its own input, and has not replaced what the first one used; the third has used nothing.
    expect(within(0, 1)).toEqual([0, 60 - 1200 - 120, -1200 - 60]);
  });

  it('grow with each micro-batch, until the last one frees those of the oldest step', () => {
    // In the first of three: a third of each input, of which that of the batch is in memory anyway, and of each gradient.
    expect(within(0, 3)).toEqual([0, 20, 20 + 20]);
    expect(within(1, 3)).toEqual([400 + 20 + 20 + 20, 400 + 40 + 20 + 20, 400 + 40 + 40 + 20]);
    expect(within(2, 3)).toEqual([800 + 40 + 40 + 40, 1200 - 400 + 60 - 1200 + 40 - 120 + 40, -400 + 40 - 60]);
  });

  it('of gradients from another part of the plan are those between steps', () => {
    const part = [first, { ...second, isReceived: false }];
    expect(keptWithinStep(part, 1, { part: 0, parts: 1 })).toBe(60 - 1200 - 120);
    expect(keptWithinStep(part, 0, { part: 0, parts: 2 })).toBe(0);
  });
});
