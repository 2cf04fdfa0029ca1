import { shortened, shown } from '@localgrad/core';
import { type Document, isAlias, isMap, isNode, isPair, isScalar, isSeq, Lexer, type Node, Parser } from 'yaml';

/** A problem at a position in the text. */
export interface Problem {
  readonly offset: number;
  readonly message: string;
}

/** Maximum nesting depth of collections. */
const deepest = 64;
/** Values and keys, a long text counted as several, after aliases are replaced by what they stand for. */
const mostValues = 100_000;
const textPerValue = 16;

/** Position where collections nest deeper than the composer's recursion allows; checked before composing. */
export function nestingProblem(text: string): Problem | undefined {
  const parser = new Parser();
  for (const lexeme of new Lexer().lex(text)) {
    // Consumed, not kept: only the depth matters here.
    for (const _ of parser.next(lexeme));
    if (parser.stack.length > deepest + 1) {
      return { offset: parser.offset, message: `more than ${deepest} levels of nesting` };
    }
  }
  return undefined;
}

/**
 * What must hold before a document becomes plain data: aliases name an anchor before them and do not contain themselves,
 * keys are texts and occur once, `<<` takes over mappings, no text contains control characters, and what aliases stand for
 * does not grow beyond all bounds.
 */
export function contentProblems(document: Document): Problem[] {
  const walk = new Walk();
  walk.visit(document.contents);
  return walk.problems;
}

class Walk {
  readonly problems: Problem[] = [];
  readonly #anchors = new Map<string, { readonly node: Node; size: number | undefined }>();
  #isTooLarge = false;

  /** Returns the number of values that the node stands for. */
  visit(node: unknown): number {
    if (isAlias(node)) return this.#alias(node.source, node);
    if (isScalar(node)) {
      const length = typeof node.value === 'string' ? node.value.length : 0;
      const size = 1 + Math.floor(length / textPerValue);
      this.#anchor(node, size);
      if (typeof node.value === 'string') this.#text(node, node.value);
      return size;
    }
    if (!isMap(node) && !isSeq(node)) return 1;
    const anchor = this.#anchor(node, undefined);
    let size = 1;
    const keys = new Set<unknown>();
    for (const item of node.items as unknown[]) {
      if (isPair(item)) {
        this.#key(item.key, keys);
        size += this.visit(item.key);
        if (isMergeKey(item.key)) this.#merge(item.value);
        size += this.visit(item.value);
      } else size += this.visit(item);
    }
    if (anchor !== undefined) anchor.size = size;
    if (size > mostValues && !this.#isTooLarge) {
      this.#isTooLarge = true;
      this.#report(node, `more than ${mostValues.toLocaleString('en-US')} values, with what aliases stand for`);
    }
    return size;
  }

  #anchor(node: Node & { anchor?: string }, size: number | undefined) {
    if (node.anchor === undefined) return undefined;
    const entry = { node, size };
    this.#anchors.set(node.anchor, entry);
    return entry;
  }

  #alias(name: string, node: Node): number {
    const found = this.#anchors.get(name);
    if (found === undefined) {
      const known = [...this.#anchors.keys()].slice(0, 20).map((each) => `&${each}`);
      const allowed = known.length === 0 ? 'the file has none before it' : `before it: ${shortened(known.join(', '))}`;
      this.#report(node, `alias ${shown(`*${name}`)} names no anchor; ${allowed}`);
    } else if (found.size === undefined) this.#report(node, `alias ${shown(`*${name}`)} stands for what contains it`);
    return found?.size ?? 1;
  }

  #key(key: unknown, seen: Set<unknown>): void {
    const value = isMergeKey(key)
      ? '<<'
      : isScalar(key)
        ? key.value
        : isAlias(key)
          ? this.#scalarOf(key.source)
          : undefined;
    if (typeof value !== 'string' && typeof value !== 'number' && typeof value !== 'boolean' && value !== null) {
      this.#report(key, 'a key must be a text');
    } else if (seen.has(String(value)))
      this.#report(key, `Map keys must be unique: ${shown(String(value))} occurs twice`);
    seen.add(String(value));
  }

  #scalarOf(name: string): unknown {
    const node = this.#anchors.get(name)?.node;
    return isScalar(node) ? node.value : undefined;
  }

  #merge(value: unknown): void {
    const sources = isSeq(value) ? value.items : [value];
    for (const source of sources) {
      const node = isAlias(source) ? this.#anchors.get(source.source)?.node : source;
      // An alias without an anchor is reported as such.
      if (isMap(node) || (isAlias(source) && node === undefined)) continue;
      this.#report(
        source,
        "'<<' takes over the keys of mappings: write <<: *anchor, <<: [*one, *two] or <<: {key: value}",
      );
    }
  }

  #text(node: Node, text: string): void {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
    const found = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/.exec(text);
    if (found !== null) this.#report(node, `${shown(text)} contains a control character`);
  }

  #report(node: unknown, message: string): void {
    const offset = (isNode(node) ? node.range?.[0] : undefined) ?? 0;
    this.problems.push({ offset, message });
  }
}

export function isMergeKey(key: unknown): boolean {
  return isScalar(key) && (key.value === '<<' || (typeof key.value === 'symbol' && key.value.description === '<<'));
}
