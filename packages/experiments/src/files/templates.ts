import { shortened, shown } from '@localgrad/core';

/** A name in braces, e.g. `{host}`. */
const place = /\{([A-Za-z][\w-]*)\}/g;

/** Names in braces. */
export function placesIn(text: string): string[] {
  return [...text.matchAll(place)].flatMap(([, name]) => name ?? []);
}

/** Maximum number of characters of a filled text: a text that contains another one twice doubles in each round. */
export const longestText = 10_000;

/**
 * Replaces names in braces by their texts, which may contain further names. Undefined if the result has more than 10,000
 * characters.
 */
export function fill(text: string, texts: Readonly<Record<string, string>>): string | undefined {
  let result = text;
  // One round per name: after that, remaining names are cyclic and are rejected.
  for (let round = 0; round <= Object.keys(texts).length; round++) {
    const filled = result.replace(
      place,
      (whole, name: string) => (Object.hasOwn(texts, name) ? texts[name] : undefined) ?? whole,
    );
    if (filled.length > longestText) return undefined;
    if (filled === result) break;
    result = filled;
  }
  return result;
}

/** Why a name in braces remains in a filled text: no factor has this name, or the texts of factors name each other. */
export function placeProblem(text: string, open: string, texts: Readonly<Record<string, string>>): string {
  if (!Object.hasOwn(texts, open)) {
    const names = Object.keys(texts).map((name) => `{${name}}`);
    return `${shown(text)} names {${shortened(open)}}. Allowed here: ${names.join(', ') || 'no factors'}`;
  }
  const own = texts[open] ?? '';
  return placesIn(own).includes(open)
    ? `factor '${open}' names itself: its text ${shown(own)} contains {${open}}. Write what {${open}} stands for, or name another factor`
    : `factor '${open}' names itself through other factors: its text is ${shown(own)}. Remove one of these names`;
}
