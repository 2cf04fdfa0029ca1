import { latexCharacter } from './latex-characters.js';
import { printable, printableLine } from './printable.js';

/** A CSV field (RFC 4180). Spreadsheets would run text that begins like a formula, so it gets an apostrophe in front. */
export function csvField(value: string | number | null): string {
  if (typeof value !== 'string') return value === null ? '' : String(value);
  const text = printable(value).replace(/^[=+\-@\t\r]/, "'$&");
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** Text on one line, escaped for Markdown and the HTML in it. */
export function markdownText(text: string): string {
  return (
    printable(text)
      .replaceAll(/[\\`*_[\]|#~]/g, (character) => `\\${character}`)
      .replaceAll('&', '&amp;')
      // A sign before a number does not begin a tag.
      .replaceAll(/<(?=[A-Za-z/!?])/g, '&lt;')
      .replaceAll('>', '&gt;')
      .replaceAll(/\s*[\r\n]+\s*/g, ' ')
  );
}

/** A code block whose fence is longer than any fence in the text. */
export function markdownCode(text: string, language = ''): string {
  const longest = Math.max(2, ...[...text.matchAll(/`+/g)].map(([run]) => run.length));
  const fence = '`'.repeat(longest + 1);
  return `${fence}${language}\n${text.replace(/\n$/, '')}\n${fence}`;
}

/** Text on one line for LaTeX with T1 fonts; see {@link untypesettable} for characters that have none. */
export function latexText(text: string): string {
  return [...printableLine(text).normalize('NFC')].map((character) => latexCharacter(character) ?? character).join('');
}

/** Characters of a text that pdfLaTeX cannot typeset. */
export function untypesettable(text: string): string[] {
  const characters = [...printableLine(text).normalize('NFC')];
  return [...new Set(characters.filter((character) => latexCharacter(character) === undefined))];
}
