import { LocalgradError } from './errors.js';
import { shortened, shown } from './shown.js';

export type OptionValue = string | number | boolean;

/**
 * A parsed method expression, as used on the command line and in files: `lam(mlm(dgl, window: 3), momentum: 0.995)`.
 */
export interface MethodExpression {
  readonly name: string;
  /** The method that a decorator wraps. */
  readonly of?: MethodExpression;
  readonly options: Readonly<Record<string, OptionValue>>;
}

/** Maximum length of an expression, in characters. */
const longestText = 10_000;
/** Maximum number of nested decorators. */
const deepest = 32;

/**
 * Parses `name`, `name(option: value, …)` or `name(method, option: value, …)`. Names may be npm package names.
 *
 * @throws LocalgradError `invalid-option` with the column of the error
 */
export function parseMethodExpression(text: string): MethodExpression {
  if (text.length > longestText) {
    const message = `Method ${shown(text)}: at most ${longestText.toLocaleString('en-US')} characters are allowed.`;
    throw new LocalgradError('invalid-option', message, { length: text.length });
  }
  const tokens = tokenize(text);
  let position = 0;
  const peek = () => tokens[position] as Token;
  const fail = (expected: string): never => {
    const { column, text: found } = peek();
    throw new LocalgradError(
      'invalid-option',
      `Method ${shown(text)}, column ${column}: expected ${expected}, found ${found === '' ? 'the end' : shown(found)}.`,
      { text: shortened(text), column, expected },
    );
  };
  const take = (kind: Token['kind'], expected: string): string => {
    if (peek().kind !== kind) fail(expected);
    return (tokens[position++] as Token).text;
  };

  const parseMethod = (depth: number): MethodExpression => {
    if (depth > deepest) fail(`at most ${deepest} decorators around a method`);
    const name = take('word', 'a method name');
    const options = new Map<string, OptionValue>();
    let of: MethodExpression | undefined;
    if (peek().kind === 'open') {
      position++;
      for (let isFirst = true; peek().kind !== 'close'; isFirst = false) {
        if (!isFirst) take('comma', "',' or ')'");
        const isOption = tokens[position + 1]?.kind === 'colon';
        if (isOption) {
          if (options.has(peek().text)) fail(`no second value for ${shown(peek().text)}`);
          const key = take('word', 'an option name');
          position++;
          options.set(key, parseValue(take('word', `a value for ${shown(key)}`)));
        } else if (isFirst) {
          of = parseMethod(depth + 1);
        } else {
          fail("'option: value'");
        }
      }
      position++;
    }
    // `fromEntries` treats '__proto__' as an ordinary key, so that methods reject it.
    const given = Object.fromEntries(options);
    return of === undefined ? { name, options: given } : { name, of, options: given };
  };

  const result = parseMethod(0);
  if (peek().kind !== 'end') fail('the end');
  return result;
}

/** Formats an expression; inverse of `parseMethodExpression`. */
export function formatMethodExpression({ name, of, options }: MethodExpression): string {
  const parts = [
    ...(of === undefined ? [] : [formatMethodExpression(of)]),
    ...Object.entries(options).map(([key, value]) => `${key}: ${String(value)}`),
  ];
  return parts.length === 0 ? name : `${name}(${parts.join(', ')})`;
}

interface Token {
  readonly kind: 'word' | 'open' | 'close' | 'comma' | 'colon' | 'end';
  readonly text: string;
  /** From 1. */
  readonly column: number;
}

const punctuation: ReadonlyMap<string, Token['kind']> = new Map([
  ['(', 'open'],
  [')', 'close'],
  [',', 'comma'],
  [':', 'colon'],
]);

function tokenize(text: string): Token[] {
  const tokens: Token[] = [];
  for (const match of text.matchAll(/[(),:]|[^\s(),:]+/g)) {
    tokens.push({ kind: punctuation.get(match[0]) ?? 'word', text: match[0], column: match.index + 1 });
  }
  return [...tokens, { kind: 'end', text: '', column: text.length + 1 }];
}

function parseValue(text: string): OptionValue {
  if (text === 'true') return true;
  if (text === 'false') return false;
  const number = Number(text);
  // Adding 0 turns '-0' into 0, which survives formatting.
  return Number.isFinite(number) ? number + 0 : text;
}
