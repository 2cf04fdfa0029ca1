export const encode = (text: string): Uint8Array => new TextEncoder().encode(text);

/** JSON fragments that are difficult for readers. */
export const jsonWords: readonly string[] = [
  'null',
  'true',
  '{}',
  '[]',
  '[',
  '{',
  ']',
  '}',
  ',',
  ':',
  '"',
  '""',
  '\\u0000',
  '\\ud800',
  '-0',
  '1e999',
  '"__proto__"',
  '"constructor"',
  '[[[[[[[[',
  '{"a":{"a":{"a":',
  '9007199254740993',
];
