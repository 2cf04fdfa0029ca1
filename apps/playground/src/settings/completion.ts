/** A name that can be written in an expression. */
export interface Suggestion {
  readonly name: string;
  readonly kind: 'method' | 'decorator' | 'head';
  readonly description: string;
}

export interface Completion {
  /** Part of the text that a suggestion replaces. */
  readonly from: number;
  readonly to: number;
  readonly suggestions: readonly Suggestion[];
}

/** Suggests names at a position of a method expression: heads after `head:`, methods and decorators where one can begin. */
export function complete(text: string, cursor: number, names: readonly Suggestion[]): Completion {
  const from = /[\w./-]*$/.exec(text.slice(0, cursor))?.index ?? cursor;
  const to = cursor + (/^[\w./-]*/.exec(text.slice(cursor))?.[0].length ?? 0);
  const before = text.slice(0, from).trimEnd();
  const typed = text.slice(from, cursor).toLowerCase();
  const isHead = /\bhead\s*:$/.test(before);
  const isMethod = before === '' || before.endsWith('(');
  const suggestions = names.filter(
    ({ name, kind }) => (kind === 'head' ? isHead : isMethod) && name !== typed && name.toLowerCase().startsWith(typed),
  );
  return { from, to, suggestions };
}

/** The text with a suggestion in it, and the position after it: inside the parentheses of a decorator. */
export function accept(
  text: string,
  { from, to }: Completion,
  { name, kind }: Suggestion,
): { readonly text: string; readonly cursor: number } {
  const rest = text.slice(to);
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
