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

const token = /"(?:[^"\\]|\\.)*"?|[\w./-]+\s*:?|[()[\]]/g;

/**
 * The innermost parentheses that contain the position from `from` to `to`; undefined outside of any, within a list or within
 * quotes. The expression need not be complete.
 */
export function enclosingCall(text: string, from: number, to: number): EnclosingCall | undefined {
  const open: Bracket[] = [];
  let found: Bracket | undefined;
  let isFound = false;
  let word = '';
  for (const { 0: part, index } of [...text.matchAll(token), { 0: '', index: Number.POSITIVE_INFINITY }]) {
    if (!isFound && index >= from) {
      isFound = true;
      found = open.at(-1);
    }
    if (part.startsWith('"') && index < from && (index + part.length > from || !/.["]$/.test(part))) return undefined;
    if (part === '(' || part === '[') open.push({ opening: part, name: word, options: [] });
    else if (part === ')' || part === ']') open.pop();
    else if (part.endsWith(':') && index !== from) open.at(-1)?.options.push(part.slice(0, -1).trim());
    word = part.startsWith('"') ? part.slice(1, -1) : part;
    if (isFound && index >= to && found !== undefined && !open.includes(found)) break;
  }
  return found?.opening === '(' ? found : undefined;
}
