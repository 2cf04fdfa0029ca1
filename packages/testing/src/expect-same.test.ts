import { describe, expect, it } from 'vitest';
import { expectSame } from './expect-same.js';

const run = {
  losses: [1, undefined, 0.5],
  parameters: new Map([['w', Float32Array.of(1, 2, 3, 4)]]),
  state: { count: 3 },
};

describe('expectSame', () => {
  it('accepts equal runs', () => {
    const equal = { ...run, parameters: new Map([['w', Float32Array.of(1, 2, 3, 4)]]), state: { count: 3 } };
    expect(() => expectSame(equal, run, 'none.')).not.toThrow();
  });

  it('names everything that differs, and the likely reason', () => {
    const parameters = new Map([
      ['w', Float32Array.of(1, 2.5, 3, 4)],
      ['new', Float32Array.of(0)],
    ]);
    const other = { losses: [1, undefined, 0.25], parameters, state: {} };
    expect(() => expectSame(other, run, 'an undeclared state.')).toThrow(
      [
        'the runs differ:',
        '  losses, step 3: 0.25 in place of 0.5',
        '  parameters, w: [1, 2.5, 3, …] in place of [1, 2, 3, …], and 1 more of 2',
        '  state, count: nothing in place of 3',
        'Likely reason: an undeclared state.',
      ].join('\n'),
    );
  });

  it('tells values apart that print alike', () => {
    const parameters = (value: number) => ({ parameters: new Map([['w', Float32Array.of(value)]]) });
    expect(() => expectSame(parameters(-0), parameters(0), 'a sign.')).toThrow('parameters, w: [');
    expect(() => expectSame(parameters(Number.NaN), parameters(Number.NaN), 'a NaN.')).not.toThrow();
  });
});
