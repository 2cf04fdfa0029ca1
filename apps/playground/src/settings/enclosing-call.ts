/** The parentheses around a position of a method expression. */
export interface EnclosingCall {
  /** Name before the parenthesis. */
  readonly name: string;
  /** Options that are written in it, except at the position. */
  readonly options: readonly string[];
}

interface Bracket {
  readonly opening: string;
  readonly name: string;
  readonly options: string[];
}

const token = /"(?:[^"\\]|\\.)*("|$)|[\w./-]+(\s*:)?|[()[\]]/g;

/**
 * The innermost parentheses that contain a position, at which a word may begin; undefined outside of any, within a list or within
 * quotes. The expression need not be complete.
 */
export function enclosingCall(text: string, from: number): EnclosingCall | undefined {
  const open: Bracket[] = [];
  const before = [...text.slice(0, from).matchAll(token)];
  let word = '';
  for (const { 0: part, 1: quote } of before) {
    // A string that does not end before the position.
    if (quote === '') return undefined;
    step(open, part, word);
    word = part.startsWith('"') ? part.slice(1, -1) : part;
  }
  const found = open.at(-1);
  if (found?.opening !== '(') return undefined;
  // Options after the position, up to the closing parenthesis.
  for (const { 0: part, index } of text.slice(from).matchAll(token)) {
    if (index > 0 || !part.endsWith(':')) step(open, part, '');
    if (!open.includes(found)) break;
  }
  return found;
}

/** Follows brackets, and collects option names within them. */
function step(open: Bracket[], part: string, word: string): void {
  if (part === '(' || part === '[') open.push({ opening: part, name: word, options: [] });
  else if (part === ')' || part === ']') open.pop();
  else if (part.endsWith(':')) open.at(-1)?.options.push(part.slice(0, -1).trim());
}
