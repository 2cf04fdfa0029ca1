import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LocalgradError } from './errors.js';
import { formatMethodExpression, type MethodExpression, parseMethodExpression } from './expression.js';

describe('parseMethodExpression', () => {
  it.each<[string, MethodExpression]>([
    ['dgl', { name: 'dgl', options: {} }],
    ['  dgl ( ) ', { name: 'dgl', options: {} }],
    ['dgl(head: 1c2f)', { name: 'dgl', options: { head: '1c2f' } }],
    ['mlm(dgl, window: 3)', { name: 'mlm', of: { name: 'dgl', options: {} }, options: { window: 3 } }],
    [
      'lam(mlm(dgl), momentum: 0.995)',
      {
        name: 'lam',
        of: { name: 'mlm', of: { name: 'dgl', options: {} }, options: {} },
        options: { momentum: 0.995 },
      },
    ],
    [
      '@someone/own-method(a:-1e-3,b:true,c:false,d:auglocal-dgl)',
      { name: '@someone/own-method', options: { a: -1e-3, b: true, c: false, d: 'auglocal-dgl' } },
    ],
  ])('reads %s', (text, expected) => {
    expect(parseMethodExpression(text)).toEqual(expected);
  });

  it.each<[string, number, RegExp]>([
    ['', 1, /expected a method name, found the end/],
    ['   ', 4, /expected a method name/],
    ['dgl(', 5, /expected a method name, found the end/],
    ['dgl)', 4, /expected the end, found '\)'/],
    ['dgl greedy', 5, /expected the end, found 'greedy'/],
    ['mlm(dgl window: 3)', 9, /expected ',' or '\)', found 'window'/],
    ['mlm(dgl, greedy)', 10, /expected 'option: value', found 'greedy'/],
    ['mlm(dgl, window: )', 18, /expected a value for 'window', found '\)'/],
    ['mlm(window: 3, dgl)', 16, /expected 'option: value', found 'dgl'/],
    ['dgl(head: a, head: b)', 14, /expected no second value for 'head'/],
    ['dgl(: 3)', 5, /expected a method name, found ':'/],
    ['dgl(head: 1c2f,)', 16, /expected 'option: value', found '\)'/],
    ['(dgl)', 1, /expected a method name, found '\('/],
  ])('reports the column of the syntax error in %j', (text, column, message) => {
    let error: unknown;
    try {
      parseMethodExpression(text);
    } catch (thrown) {
      error = thrown;
    }
    expect(LocalgradError.isInstance(error)).toBe(true);
    const { code, details, message: found } = error as LocalgradError;
    expect(code).toBe('invalid-option');
    expect(details.column).toBe(column);
    expect(found).toContain(`column ${column}`);
    expect(found).toMatch(message);
  });

  it('preserves option names such as __proto__, so that methods can reject them', () => {
    const { name, options } = parseMethodExpression('constructor(__proto__: 3, toString: valueOf)');
    expect(name).toBe('constructor');
    expect(Object.entries(options)).toEqual([
      ['__proto__', 3],
      ['toString', 'valueOf'],
    ]);
  });

  it('rejects nesting deeper than 32 decorators and texts longer than 10,000 characters', () => {
    const nested = (depth: number) => `${'mlm('.repeat(depth)}dgl${')'.repeat(depth)}`;
    expect(formatMethodExpression(parseMethodExpression(nested(32)))).toBe(nested(32));
    expect(() => parseMethodExpression(nested(33))).toThrow(/column 133: expected at most 32 decorators/);
    expect(() => parseMethodExpression(nested(100_000))).toThrow(/at most 10,000 characters/);
    expect(() => parseMethodExpression(`dgl(${'x'.repeat(9000)}`)).toThrow(/^.{1,600}$/);
  });

  it('throws only LocalgradError for arbitrary text', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom('a', '1', '(', ')', ',', ':', ' ', '-') }), (text) => {
        try {
          expect(parseMethodExpression(text).name).not.toBe('');
        } catch (error) {
          expect(LocalgradError.isInstance(error)).toBe(true);
        }
      }),
      { numRuns: 500 },
    );
  });
});

describe('formatMethodExpression', () => {
  const word = fc
    .stringMatching(/^[a-z@][\w./@-]{0,12}$/)
    .filter((text) => Number.isNaN(Number(text)) && text !== 'true' && text !== 'false');
  const number = fc.double({ noNaN: true, noDefaultInfinity: true }).filter((value) => !Object.is(value, -0));
  const options = fc.dictionary(word, fc.oneof(word, number, fc.integer(), fc.boolean()), {
    maxKeys: 4,
    noNullPrototype: true,
  });
  const { expression } = fc.letrec<{ expression: MethodExpression }>((tie) => ({
    expression: fc.oneof(
      { maxDepth: 4 },
      fc.record({ name: word, options }),
      fc.record({ name: word, of: tie('expression'), options }),
    ),
  }));

  it('inverts parsing', () => {
    fc.assert(
      fc.property(expression, (value) => {
        const text = formatMethodExpression(value);
        expect(parseMethodExpression(text)).toEqual(value);
        expect(formatMethodExpression(parseMethodExpression(text))).toBe(text);
      }),
    );
  });

  it('prints the canonical notation', () => {
    expect(formatMethodExpression(parseMethodExpression('lam( mlm(dgl,window:3),momentum:0.995 )'))).toBe(
      'lam(mlm(dgl, window: 3), momentum: 0.995)',
    );
    expect(formatMethodExpression(parseMethodExpression('dgl(scale: -0)'))).toBe('dgl(scale: 0)');
  });
});
