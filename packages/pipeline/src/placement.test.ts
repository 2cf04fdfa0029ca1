import { describe, expect, it } from 'vitest';
import { checkPlacement, formatPlacement, parsePlacement } from './placement.js';

describe('parsePlacement', () => {
  it('reads groups with and without names', () => {
    expect(parsePlacement('0-3@a 4-7@b.local', 8)).toEqual([
      { worker: 'a', range: [0, 3] },
      { worker: 'b.local', range: [4, 7] },
    ]);
    expect(parsePlacement(' 0, 1-2 ', 3)).toEqual([
      { worker: 'worker0', range: [0, 0] },
      { worker: 'worker1', range: [1, 2] },
    ]);
  });

  it.each(['0-3@a 4-7@b', '0 1-6 7', '0-7'])('is the inverse of formatPlacement: %s', (text) => {
    expect(formatPlacement(parsePlacement(text, 8))).toBe(text);
  });

  it.each([
    ['', /it has no group/],
    ['0-3 x', /'x' is not a group; allowed: groups of modules from first to last/],
    ['0-3 5-7', /module 4 is in no group/],
    ['0-3 3-7', /module 3 is in two groups/],
    ['4-7 0-3', /module 0 is in no group/],
    ['0-3 4-6', /module 7 is in no group; allowed: each module from 0 to 7 in one group/],
    ['0-3 4-8', /there is no module 8/],
    ['3-0 4-7', /group 3-0 ends before it starts/],
    ['0-3@a 4-7@a', /'a' has two groups/],
  ])('rejects %j', (text, message) => {
    expect(() => parsePlacement(text, 8)).toThrow(message);
    expect(() => parsePlacement(text, 8)).toThrow(expect.objectContaining({ code: 'invalid-option' }));
  });

  it('checks groups of a program alike', () => {
    expect(() => checkPlacement([{ worker: 'a', range: [0, 2] }], 4)).toThrow(
      /placement '0-2@a': module 3 is in no group/,
    );
  });
});
