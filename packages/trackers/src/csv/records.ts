/** One record of RFC 4180, ended by a line feed. */
export function csvRecord(fields: readonly (string | number | undefined)[]): string {
  return `${fields.map(csvField).join(',')}\n`;
}

/** Splits into records with their line ends; omits an incomplete last record. */
export function splitCsvRecords(text: string): string[] {
  return text.match(/(?:[^"\n]|"(?:[^"]|"")*")*\n/g) ?? [];
}

function csvField(value: string | number | undefined): string {
  const text = String(value ?? '');
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
