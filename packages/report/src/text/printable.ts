/** Control characters (except tab and line breaks), lone surrogates and code points that XML does not allow. */
const unprintable =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the expression matches them
  /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\ufffe\uffff]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;

/** Replaces characters that terminals, XML or LaTeX would misinterpret by the replacement character. */
export function printable(text: string): string {
  return text.replace(unprintable, '\ufffd');
}

/** The same on one line, for names and labels. */
export function printableLine(text: string): string {
  return printable(text).replace(/\s*[\t\r\n\u2028\u2029]+\s*/g, ' ');
}
