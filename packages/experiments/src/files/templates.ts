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
