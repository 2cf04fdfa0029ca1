/**
 * JSON as accepted by the reference reader of safetensors: exact integers (as `bigint`; `1.0` and `-0` are not
 * integers), arbitrary keys (including `__proto__`), no lone surrogates, no numbers beyond the range of a double, at
 * most 127 levels of nesting.
 */
export type HeaderJson = null | boolean | number | bigint | string | HeaderJson[] | HeaderObject;

export interface HeaderObject {
  /** In document order; keys may occur more than once. */
  readonly entries: readonly (readonly [key: string, value: HeaderJson])[];
}

export function isHeaderObject(value: HeaderJson | undefined): value is HeaderObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

const deepest = 127;
const number = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const space = /[ \t\n\r]*/y;
const literals: readonly [string, null | boolean][] = [
  ['null', null],
  ['true', true],
  ['false', false],
];

/** @throws SyntaxError with the position of the character */
export function parseHeaderJson(text: string): HeaderJson {
  const parser = new Parser(text);
  const value = parser.value(0);
  parser.end();
  return value;
}

function isWellFormed(text: string): boolean {
  return !/\p{Surrogate}/u.test(text);
}

class Parser {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  value(depth: number): HeaderJson {
    this.#match(space);
    const first = this.#text[this.#at];
    if (first === '{') return this.#object(depth + 1);
    if (first === '[') return this.#array(depth + 1);
    if (first === '"') return this.#string();
    for (const [word, value] of literals) {
      if (!this.#text.startsWith(word, this.#at)) continue;
      this.#at += word.length;
      return value;
    }
    return this.#number();
  }

  end(): void {
    this.#match(space);
    if (this.#at < this.#text.length) this.#fail('expected the end');
  }

  #object(depth: number): HeaderObject {
    this.#enter(depth);
    const entries: [string, HeaderJson][] = [];
    this.#list('}', () => {
      this.#match(space);
      const key = this.#string();
      if (!this.#skip(':')) this.#fail("expected ':'");
      entries.push([key, this.value(depth)]);
    });
    return { entries };
  }

  #array(depth: number): HeaderJson[] {
    this.#enter(depth);
    const values: HeaderJson[] = [];
    this.#list(']', () => void values.push(this.value(depth)));
    return values;
  }

  #enter(depth: number): void {
    if (depth > deepest) this.#fail(`more than ${deepest} levels of nesting`);
    this.#at++;
  }

  #list(close: string, readItem: () => void): void {
    if (this.#skip(close)) return;
    do readItem();
    while (this.#skip(','));
    if (!this.#skip(close)) this.#fail(`expected ',' or '${close}'`);
  }

  #string(): string {
    const start = this.#at;
    if (this.#text[start] !== '"') this.#fail('expected a string');
    // Not a regular expression, which would overflow the stack on a long string.
    let end = start + 1;
    while (end < this.#text.length && this.#text[end] !== '"') end += this.#text[end] === '\\' ? 2 : 1;
    this.#at = end + 1;
    let text: string;
    try {
      text = JSON.parse(this.#text.slice(start, this.#at));
    } catch {
      this.#at = start;
      return this.#fail('expected a string, found one that is unterminated or contains an invalid character or escape');
    }
    if (isWellFormed(text)) return text;
    this.#at = start;
    return this.#fail('expected a string, found one with a lone surrogate');
  }

  #number(): number | bigint {
    const token = this.#match(number);
    if (token === undefined) return this.#fail('expected a value');
    if (/^(?:0|[1-9]\d{0,19})$/.test(token)) return BigInt(token);
    const value = Number(token);
    return Number.isFinite(value) ? value : this.#fail('a number out of range before it');
  }

  #skip(character: string): boolean {
    this.#match(space);
    if (this.#text[this.#at] !== character) return false;
    this.#at++;
    return true;
  }

  #match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const [found] = pattern.exec(this.#text) ?? [];
    this.#at += found?.length ?? 0;
    return found;
  }

  #fail(problem: string): never {
    throw new SyntaxError(`${problem} at character ${this.#at}`);
  }
}
