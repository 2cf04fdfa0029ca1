import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LocalgradError } from './errors.js';
import { type Expression, formatExpression, type OptionValue, parseExpression } from './expression.js';

describe('parseExpression', () => {
  it.each<[string, Expression]>([
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
    [
      'lam(greedy, leap: [[1, 3], [2], []], on: all)',
      { name: 'lam', of: { name: 'greedy', options: {} }, options: { leap: [[1, 3], [2], []], on: 'all' } },
    ],
    [
      'mlm("./my methods (old), new/own.mjs"(head: "3"))',
      { name: 'mlm', of: { name: './my methods (old), new/own.mjs', options: { head: '3' } }, options: {} },
    ],
    [
      'adamw(decay: matrices, parameters: [(match: *.bias, weightDecay: 0), ("match": "heads.*")], none: ())',
      {
        name: 'adamw',
        options: {
          decay: 'matrices',
          parameters: [{ match: '*.bias', weightDecay: 0 }, { match: 'heads.*' }],
          none: {},
        },
      },
    ],
    [
      'a(text: "say \\"no\\" in C:\\\\x", path: "C:\\y", empty: "")',
      { name: 'a', options: { text: 'say "no" in C:\\x', path: 'C:\\y', empty: '' } },
    ],
  ])('reads %s', (text, expected) => {
    expect(parseExpression(text)).toEqual(expected);
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
    ['lam(dgl, leap: [1 2])', 19, /expected ',' or '\]', found '2'/],
    ['lam(dgl, leap: [1', 18, /expected ',' or '\]', found the end/],
    ['lam(dgl, leap: ])', 16, /expected a value for 'leap', found '\]'/],
    ['sgd(parameters: [(match: a', 27, /expected ',' or '\)', found the end/],
    ['sgd(parameters: [(match: a, match: b)])', 29, /expected no second value for 'match'/],
    ['sgd(parameters: [(a)])', 19, /expected 'option: value', found 'a'/],
    ['sgd(parameters: [{match: a}])', 18, /expected '\(option: value\)', with parentheses, found '{match'/],
    ['sgd(parameters: { match: a })', 17, /expected '\(option: value\)', with parentheses, found '{'/],
    ['mlm("./own.mjs)', 5, /expected a method name, found "\.\/own\.mjs\) without an end/],
    ['""', 1, /expected a method name, found '""'/],
  ])('reports the position of the mistake in %j', (text, column, message) => {
    let error: unknown;
    try {
      parseExpression(text);
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

  it('keeps names that JavaScript treats specially, for methods to refuse', () => {
    const { name, options } = parseExpression('constructor(__proto__: 3, toString: valueOf)');
    expect(name).toBe('constructor');
    expect(Object.entries(options)).toEqual([
      ['__proto__', 3],
      ['toString', 'valueOf'],
    ]);
  });

  it.each(['C:\\work\\own.mjs', 'c:/work/own.mjs', 'D:\\'])('takes a path with a drive, %s, for a name', (path) => {
    expect(parseExpression(path)).toEqual({ name: path, options: {} });
    expect(parseExpression(`${path}(width: 8)`)).toEqual({ name: path, options: { width: 8 } });
    const inner = parseExpression(path);
    expect(parseExpression(formatExpression({ name: 'mlm', of: inner, options: {} })).of).toEqual(inner);
    // An option of one letter whose value is a path.
    expect(parseExpression('own(c:/work)').options).toEqual({ c: '/work' });
  });

  it('names the kind of thing that the expression stands for', () => {
    expect(() => parseExpression('resnet32(', 'backbone')).toThrow(
      "Backbone 'resnet32(', column 10: expected a backbone name, found the end.",
    );
    expect(() => parseExpression('', 'optimizer')).toThrow(/expected an optimizer name/);
  });

  it('rejects nesting deeper than 32 decorators or lists, and texts longer than 10,000 characters', () => {
    const nested = (depth: number) => `${'mlm('.repeat(depth)}dgl${')'.repeat(depth)}`;
    expect(formatExpression(parseExpression(nested(32)))).toBe(nested(32));
    expect(() => parseExpression(nested(33))).toThrow(/column 133: expected at most 32 decorators/);
    expect(() => parseExpression(nested(100_000))).toThrow(/at most 10,000 characters/);
    expect(() => parseExpression(`a(b: ${'['.repeat(9000)}`)).toThrow(/expected at most 32 levels of values/);
    expect(() => parseExpression(`a(b: ${'(c: '.repeat(2000)}`)).toThrow(/expected at most 32 levels of values/);
    expect(() => parseExpression(`dgl(${'x'.repeat(9000)}`)).toThrow(/^.{1,600}$/);
  });

  it('throws only LocalgradError for arbitrary text', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...'a1(),: -[]{}"\\') }), (text) => {
        try {
          expect(parseExpression(text).name).not.toBe('');
        } catch (error) {
          expect(LocalgradError.isInstance(error)).toBe(true);
        }
      }),
      { numRuns: 500 },
    );
  });
});

describe('formatExpression', () => {
  const word = fc.oneof(fc.stringMatching(/^[a-z@][\w./@-]{0,12}$/), fc.string({ minLength: 1, unit: 'grapheme' }));
  const text = fc.oneof(word, fc.constantFrom('', 'true', '1e3', '0x10', ' ', '-0', 'Infinity'));
  const number = fc.double({ noNaN: true, noDefaultInfinity: true }).filter((value) => !Object.is(value, -0));
  const { value } = fc.letrec<{ value: OptionValue }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 3 },
      fc.oneof(text, number, fc.integer(), fc.boolean()),
      fc.array(tie('value'), { maxLength: 3 }),
      fc.dictionary(word, tie('value'), { maxKeys: 3, noNullPrototype: true }),
    ),
  }));
  const options = fc.dictionary(word, value, { maxKeys: 4, noNullPrototype: true });
  const { expression } = fc.letrec<{ expression: Expression }>((tie) => ({
    expression: fc.oneof(
      { maxDepth: 4 },
      fc.record({ name: word, options }),
      fc.record({ name: word, of: tie('expression'), options }),
    ),
  }));

  it('inverts parsing', () => {
    fc.assert(
      fc.property(expression, (value) => {
        const text = formatExpression(value);
        expect(parseExpression(text)).toEqual(value);
        expect(formatExpression(parseExpression(text))).toBe(text);
      }),
    );
  });

  it('writes what people write', () => {
    expect(formatExpression(parseExpression('lam( mlm(dgl,window:3),momentum:0.995 )'))).toBe(
      'lam(mlm(dgl, window: 3), momentum: 0.995)',
    );
    expect(formatExpression(parseExpression('dgl(scale: -0)'))).toBe('dgl(scale: 0)');
    expect(formatExpression(parseExpression('lam("greedy",leap:[[1,3],"[2]"])'))).toBe(
      'lam(greedy, leap: [[1, 3], "[2]"])',
    );
    expect(formatExpression(parseExpression('sgd(parameters:[("match":*.bias,weightDecay:0)])'))).toBe(
      'sgd(parameters: [(match: *.bias, weightDecay: 0)])',
    );
    expect(formatExpression(parseExpression('a(b: {factor}, c: "{", d: {)'))).toBe('a(b: {factor}, c: {, d: {)');
  });
});
