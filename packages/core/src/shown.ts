const longest = 200;
/** C0 and C1 control characters except tab and newline, and Unicode characters that reorder or break lines. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: the pattern must match control characters
const unprintable = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069\ufeff]/g;

/** Escapes control characters (`\x1b`), so that a terminal does not interpret them. */
export function printable(text: string): string {
  return text.replace(unprintable, (character) => {
    const code = character.charCodeAt(0).toString(16);
    return code.length > 2 ? `\\u${code.padStart(4, '0')}` : `\\x${code.padStart(2, '0')}`;
  });
}

/** Truncates a text to 200 characters, followed by its length. */
export function shortened(text: string, limit = longest): string {
  if (text.length <= limit) return text;
  return `${text.slice(0, limit)}… (${text.length.toLocaleString('en-US')} characters)`;
}

/**
 * Formats a value for error messages: strings in quotes, others as JSON, at most 200 characters, control characters
 * escaped.
 */
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
