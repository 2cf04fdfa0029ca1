import { enclosingCall } from './enclosing-call.js';

/** A name that can be written in an expression. */
export interface Suggestion {
  readonly name: string;
  readonly kind: 'method' | 'decorator' | 'head' | 'option';
  readonly description: string;
  /** Names of its options. */
  readonly options?: readonly string[];
}

export interface Completion {
  /** Part of the text that a suggestion replaces. */
  readonly from: number;
  readonly to: number;
  readonly suggestions: readonly Suggestion[];
}

/**
 * Suggests names at a position of a method expression: methods and decorators where one can begin, options within the
 * parentheses of the method or decorator that has them, and heads after `head:`.
 */
export function complete(text: string, cursor: number, names: readonly Suggestion[]): Completion {
  const from = /[\w./-]*$/.exec(text.slice(0, cursor))?.index ?? cursor;
  const to = cursor + (/^[\w./-]*/.exec(text.slice(cursor))?.[0].length ?? 0);
  const typed = text.slice(from, cursor).toLowerCase();
  const suggestions = allowedAt(text, from, names).filter(
    ({ name }) => name.toLowerCase() !== typed && name.toLowerCase().startsWith(typed),
  );
  return { from, to, suggestions };
}

function allowedAt(text: string, from: number, names: readonly Suggestion[]): readonly Suggestion[] {
  const before = text.slice(0, from).trimEnd();
  if (/\bhead\s*:$/.test(before)) return names.filter(({ kind }) => kind === 'head');
  const begins = names.filter(({ kind }) => kind === 'method' || kind === 'decorator');
  if (before === '') return begins;
  const call = enclosingCall(text, from);
  if (call === undefined) return [];
  const owner = begins.find(({ name }) => name === call.name);
  const options = (owner?.options ?? [])
    .filter((name) => !call.options.includes(name))
    .map((name): Suggestion => ({ name, kind: 'option', description: `Option of ${call.name}` }));
  if (before.endsWith(',')) return options;
  if (!before.endsWith('(')) return [];
  return owner?.kind === 'method' ? options : begins;
}

/** The text with a suggestion in it, and the position after it: inside the parentheses of a decorator, after an option's colon. */
export function accept(
  text: string,
  { from, to }: Completion,
  { name, kind }: Suggestion,
): { readonly text: string; readonly cursor: number } {
  const rest = text.slice(to);
  if (kind === 'option') {
    const end = /^\s*:/.test(rest) ? '' : ': ';
    const space = text[from - 1] === ',' ? ' ' : '';
    return { text: text.slice(0, from) + space + name + end + rest, cursor: from + (space + name + end).length };
  }
  if (kind !== 'decorator' || rest.startsWith('(')) {
    return { text: text.slice(0, from) + name + rest, cursor: from + name.length };
  }
  // What follows the cursor is what the decorator wraps.
  const wrapped = rest.trim() === '' ? '' : rest;
  return { text: `${text.slice(0, from)}${name}(${wrapped})`, cursor: from + name.length + 1 };
}

/** Puts a decorator around an expression, or removes it if it is the outermost one without options. */
export function toggleDecorator(text: string, decorator: string): string {
  const inner = new RegExp(`^\\s*${decorator}\\((.*)\\)\\s*$`, 's').exec(text)?.[1];
  return inner === undefined ? `${decorator}(${text.trim()})` : inner;
}
