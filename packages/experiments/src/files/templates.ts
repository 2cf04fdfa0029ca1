/** `{host}` in texts, and nothing but such names in braces. */
const place = /\{([A-Za-z][\w-]*)\}/g;

/** Names in braces. */
export function placesIn(text: string): string[] {
  return [...text.matchAll(place)].map(([, name]) => name as string);
}

/** Puts texts into the places of a text, again and again: texts may name others. */
export function fill(text: string, texts: Readonly<Record<string, string>>): string {
  let result = text;
  // As many rounds as there are names: more can only be a circle, whose places then stay and are refused.
  for (let round = 0; round <= Object.keys(texts).length; round++) {
    result = result.replace(place, (whole, name: string) => texts[name] ?? whole);
  }
  return result;
}
