const longest = 200;
/** C0 and C1 control characters but tab and newline, and those that reorder or break lines. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const unprintable = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069\ufeff]/g;

/** The text with control characters as escapes (`\x1b`), so that a terminal cannot act on them. */
export function printable(text: string): string {
  return text.replace(unprintable, (character) => {
    const code = character.charCodeAt(0).toString(16);
    return code.length > 2 ? `\\u${code.padStart(4, '0')}` : `\\x${code.padStart(2, '0')}`;
  });
}

/** The text, or its first 200 characters and its length. */
export function shortened(text: string, limit = longest): string {
  if (text.length <= limit) return text;
  return `${text.slice(0, limit)}… (${text.length.toLocaleString('en-US')} characters)`;
}

/** A value as error messages show it: texts in quotes, others as JSON, at most 200 characters, without control characters. */
export function shown(value: unknown): string {
  if (typeof value === 'string') return printable(`'${shortened(value)}'`);
  return printable(shortened(jsonOf(value) ?? String(value)));
}

function jsonOf(value: unknown): string | undefined {
  // JSON has no NaN and no infinity.
  if (typeof value === 'number') return String(value);
  try {
    return JSON.stringify(value);
  } catch {
    return Object.prototype.toString.call(value);
  }
}
