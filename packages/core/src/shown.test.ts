import { describe, expect, it } from 'vitest';
import { LocalgradError, requireOption, unknownName } from './errors.js';
import { printable, shortened, shown } from './shown.js';

const thrownBy = (act: () => unknown): string => {
  try {
    act();
  } catch (error) {
    return (error as Error).message;
  }
  return '';
};

describe('shown', () => {
  it('quotes strings and prints other values as JSON, with NaN and infinity by name', () => {
    expect(shown('x')).toBe("'x'");
    expect(shown([1, 'a'])).toBe('[1,"a"]');
    expect([undefined, null, Number.NaN, -Infinity].map(shown)).toEqual(['undefined', 'null', 'NaN', '-Infinity']);
    expect(shown(1n)).toBe('[object BigInt]');
    const circle: unknown[] = [];
    circle.push(circle);
    expect(shown(circle)).toBe('[object Array]');
  });

  it('truncates long values and states their length', () => {
    expect(shortened('x'.repeat(200))).toHaveLength(200);
    expect(shown('x'.repeat(1_000_000))).toBe(`'${'x'.repeat(200)}… (1,000,000 characters)'`);
  });

  it('escapes control characters except tabs and newlines', () => {
    expect(printable('a\u001b[31m\u0000\u009b\u202e\tb\n')).toBe('a\\x1b[31m\\x00\\x9b\\u202e\tb\n');
  });
});

describe('error messages', () => {
  it('contain no control characters for any input', () => {
    expect(new LocalgradError('invalid-data', 'file\u001b]0;title\u0007').message).toBe('file\\x1b]0;title\\x07');
  });

  it('truncate a long input', () => {
    const long = 'x'.repeat(5_000_000);
    expect(unknownName('method', long, ['dgl', 'greedy']).message.length).toBeLessThan(400);
    expect(thrownBy(() => requireOption(false, 'sgd', 'momentum', long, '0 to 1')).length).toBeLessThan(400);
    expect(thrownBy(() => requireOption(false, 'sgd', 'momentum', Number.NaN, '0 to 1'))).toContain('is NaN');
  });
});
