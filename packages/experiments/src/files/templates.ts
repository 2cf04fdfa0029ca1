/** `{host}` in texts, and nothing but such names in braces. */
const place = /\{([A-Za-z][\w-]*)\}/g;

/** Names in braces. */
export function placesIn(text: string): string[] {
  return [...text.matchAll(place)].map(([, name]) => name as string);
}

/** Characters of a filled text: texts that name others twice double in each round. */
export const longestText = 10_000;

/**
 * Puts texts into the places of a text, again and again: texts may name others. Undefined where the result would have more
 * than 10,000 characters.
 */
export function fill(text: string, texts: Readonly<Record<string, string>>): string | undefined {
  let result = text;
  // As many rounds as there are names: more can only be a circle, whose places then stay and are refused.
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
