/** A field of a CSV file (RFC 4180). */
export function csvField(value: string | number | null): string {
  const text = value === null ? '' : String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** Text that Markdown and the HTML in it leave as it is, on one line. */
export function markdownText(text: string): string {
  return (
    text
      .replaceAll(/[\\`*_[\]|#~]/g, (character) => `\\${character}`)
      .replaceAll('&', '&amp;')
      // A sign before a number is none of HTML's.
      .replaceAll(/<(?=[A-Za-z/!?])/g, '&lt;')
      .replaceAll('>', '&gt;')
      .replaceAll(/\s*[\r\n]+\s*/g, ' ')
  );
}

/** A block of code with a fence that is longer than any in the text. */
export function markdownCode(text: string, language = ''): string {
  const longest = Math.max(2, ...[...text.matchAll(/`+/g)].map(([run]) => run.length));
  const fence = '`'.repeat(longest + 1);
  return `${fence}${language}\n${text.replace(/\n$/, '')}\n${fence}`;
}

const latexCharacters: Readonly<Record<string, string>> = {
  '\\': '\\textbackslash{}',
  '{': '\\{',
  '}': '\\}',
  $: '\\$',
  '&': '\\&',
  '#': '\\#',
  '%': '\\%',
  _: '\\_',
  '^': '\\textasciicircum{}',
  '~': '\\textasciitilde{}',
  '<': '\\textless{}',
  '>': '\\textgreater{}',
  '|': '\\textbar{}',
  '"': '\\textquotedbl{}',
  '\u00a0': '~',
  '−': '$-$',
  '±': '$\\pm$',
  '×': '$\\times$',
  '–': '--',
  '’': "'",
};

/** Text for LaTeX. Characters beyond Latin ones need a document in UTF-8. */
export function latexText(text: string): string {
  return [...text.replaceAll(/\s*[\r\n]+\s*/g, ' ')]
    .map((character) => latexCharacters[character] ?? character)
    .join('');
}
