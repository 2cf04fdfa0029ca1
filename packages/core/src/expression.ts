import { LocalgradError } from './errors.js';
import { printable, shortened, shown } from './shown.js';

/** Value of an option in an expression. */
export type OptionValue =
  | string
  | number
  | boolean
  | readonly OptionValue[]
  | { readonly [option: string]: OptionValue };

/**
 * A name with options, as written on the command line and in files: `resnet32(width: 8)`, `lam(mlm(dgl), leap: [[1, 3]])`.
 */
export interface Expression {
  /** Name of a method, backbone, …, or the path or package that provides it. */
  readonly name: string;
  /** What a decorator wraps. */
  readonly of?: Expression;
  /** Options by name, in the order in which they were written. */
  readonly options: Readonly<Record<string, OptionValue>>;
}

/** Maximum number of characters of an expression. */
const longestText = 10_000;
/** Maximum number of decorators around a method, and of values within values: no input exhausts the stack. */
const maximumDepth = 32;

/**
 * Parses `name`, `name(option: value, …)` and `name(method, option: value, …)`. Values are words, numbers, `true`, `false`,
 * lists (`[1, [2, 3]]`), options (`(match: *.bias, weightDecay: 0)`) and quoted strings; names may be quoted too:
 * `mlm("./my methods/own.mjs")`. A path with a drive of Windows needs quotes only within parentheses: `C:\own.mjs`.
 *
 * @param kind kind of thing that the expression names, for messages: `method`, `backbone`
 * @throws LocalgradError `invalid-option` with the column
 */
export function parseExpression(text: string, kind = 'method'): Expression {
  if (text.length > longestText) {
    const message = `${capitalized(kind)} ${shown(text)}: at most ${longestText.toLocaleString('en-US')} characters are allowed.`;
    throw new LocalgradError('invalid-option', message, { length: text.length });
  }
  const parser = new Parser(text, kind);
  const result = parser.expression(0);
  parser.end();
  return result;
}

/** The inverse of `parseExpression`. Quotes names and strings only where needed. */
export function formatExpression({ name, of, options }: Expression): string {
  const parts = [...(of === undefined ? [] : [formatExpression(of)]), ...formatOptions(options)];
  const written = quotedIfNeeded(name);
  return parts.length === 0 ? written : `${written}(${parts.join(', ')})`;
}

function formatOptions(options: Readonly<Record<string, OptionValue>>): string[] {
  return Object.entries(options).map(([key, value]) => `${quotedIfNeeded(key)}: ${formatValue(value)}`);
}

function formatValue(value: OptionValue): string {
  if (isList(value)) return `[${value.map(formatValue).join(', ')}]`;
  if (typeof value === 'object') return `(${formatOptions(value).join(', ')})`;
  if (typeof value !== 'string') return String(value);
  return readWord(value) === value ? quotedIfNeeded(value) : quoted(value);
}

function isList(value: OptionValue): value is readonly OptionValue[] {
  return Array.isArray(value);
}

const plainWord = /^[^\s(),:[\]"]+$/;

function quotedIfNeeded(text: string): string {
  return plainWord.test(text) ? text : quoted(text);
}

function quoted(text: string): string {
  return `"${text.replace(/["\\]/g, '\\$&')}"`;
}

type Punctuation = '(' | ')' | ',' | ':' | '[' | ']';

interface Token {
  readonly kind: Punctuation | 'word' | 'string' | 'unterminated string' | 'end';
  /** Strings without their quotes. */
  readonly text: string;
  /** As written. */
  readonly source: string;
  /** From 1. */
  readonly column: number;
}

class Parser {
  readonly #text: string;
  readonly #kind: string;
  readonly #tokens: Iterator<Token, Token>;
  #current: Token;
  #next: Token;

  constructor(text: string, kind: string) {
    this.#text = text;
    this.#kind = kind;
    this.#tokens = tokenize(text);
    this.#current = this.#tokens.next().value;
    this.#next = this.#tokens.next().value;
  }

  expression(depth: number): Expression {
    const article = /^[aeiou]/.test(this.#kind) ? 'an' : 'a';
    if (depth > maximumDepth) this.#fail(`at most ${maximumDepth} decorators around ${article} ${this.#kind}`);
    const name = this.#name(`${article} ${this.#kind} name`);
    let of: Expression | undefined;
    const options = this.#skip('(')
      ? this.#options(0, () => {
          of = this.expression(depth + 1);
        })
      : {};
    return of === undefined ? { name, options } : { name, of, options };
  }

  end(): void {
    if (this.#current.kind !== 'end') this.#fail('the end');
  }

  /** Options up to the closing parenthesis. `readFirst` reads what may stand before them. */
  #options(depth: number, readFirst?: () => void): Record<string, OptionValue> {
    const options = new Map<string, OptionValue>();
    for (let isFirst = true; !this.#skip(')'); isFirst = false) {
      if (!isFirst && !this.#skip(',')) this.#fail("',' or ')'");
      if (this.#next.kind === ':') {
        if (options.has(this.#current.text)) this.#fail(`no second value for ${shown(this.#current.text)}`);
        const key = this.#name('an option name');
        this.#advance();
        options.set(key, this.#value(`a value for ${shown(key)}`, depth));
      } else if (isFirst && readFirst !== undefined) {
        readFirst();
      } else {
        this.#fail("'option: value'");
      }
    }
    // `fromEntries` makes '__proto__' a key like any other, so that factories reject it.
    return Object.fromEntries(options);
  }

  #value(expected: string, depth: number): OptionValue {
    if (depth > maximumDepth) this.#fail(`at most ${maximumDepth} levels of values`);
    const { text } = this.#current;
    if (this.#isBrace()) this.#fail("'(option: value)', with parentheses");
    if (this.#skip('string')) return text;
    if (this.#skip('word')) return readWord(text);
    if (this.#skip('(')) return this.#options(depth + 1);
    if (!this.#skip('[')) this.#fail(expected);
    const values: OptionValue[] = [];
    while (!this.#skip(']')) {
      if (values.length > 0 && !this.#skip(',')) this.#fail("',' or ']'");
      values.push(this.#value('a value or list', depth + 1));
    }
    return values;
  }

  /** Whether options in braces follow, as in JSON or YAML: no word is followed by a colon or by another word. */
  #isBrace(): boolean {
    const { kind, text } = this.#current;
    if (kind !== 'word' || !text.startsWith('{')) return false;
    return this.#next.kind === ':' || (text === '{' && ['word', 'string'].includes(this.#next.kind));
  }

  #name(expected: string): string {
    const { text } = this.#current;
    if (text === '' || (!this.#skip('word') && !this.#skip('string'))) this.#fail(expected);
    return text;
  }

  #skip(kind: Token['kind']): boolean {
    if (this.#current.kind !== kind) return false;
    this.#advance();
    return true;
  }

  #advance(): void {
    this.#current = this.#next;
    this.#next = this.#tokens.next().value;
  }

  #fail(expected: string): never {
    const { column, kind, source } = this.#current;
    const found =
      kind === 'end'
        ? 'the end'
        : kind === 'unterminated string'
          ? `${printable(shortened(source))} without an end`
          : shown(source);
    throw new LocalgradError(
      'invalid-option',
      `${capitalized(this.#kind)} ${shown(this.#text)}, column ${column}: expected ${expected}, found ${found}.`,
      { text: shortened(this.#text), column, expected },
    );
  }
}

function capitalized(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** Ends with tokens of kind `end`, as many as are asked for. */
function* tokenize(text: string): Generator<Token, Token> {
  for (const match of text.matchAll(/^[A-Za-z]:[\\/][^\s(),:[\]"]*|[(),:[\]]|"((?:[^"\\]|\\.)*)"|"|[^\s(),:[\]"]+/gs)) {
    const [source, content] = match;
    const column = match.index + 1;
    if (content !== undefined) yield { kind: 'string', text: content.replace(/\\(["\\])/g, '$1'), source, column };
    else if (isPunctuation(source)) yield { kind: source, text: source, source, column };
    else if (source === '"') {
      yield { kind: 'unterminated string', text: '', source: text.slice(match.index), column };
      break;
    } else yield { kind: 'word', text: source, source, column };
  }
  const end: Token = { kind: 'end', text: '', source: '', column: text.length + 1 };
  for (;;) yield end;
}

function isPunctuation(text: string): text is Punctuation {
  return /^[(),:[\]]$/.test(text);
}

function readWord(text: string): OptionValue {
  if (text === 'true') return true;
  if (text === 'false') return false;
  const number = Number(text);
  // Without the sum '-0' would not survive printing. An empty text is no number, though `Number('')` is 0.
  return text.trim() !== '' && Number.isFinite(number) ? number + 0 : text;
}
