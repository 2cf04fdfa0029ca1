/** Fields as a line of RFC 4180, but for its end, which is a line feed as in all files of ours. */
export function csvRecord(fields: readonly (string | number | undefined)[]): string {
  return `${fields.map(csvField).join(',')}\n`;
}

/** Records with their line ends; what comes after the last line end is left out: it was never finished. */
export function splitCsvRecords(text: string): string[] {
  return text.match(/(?:[^"\n]|"(?:[^"]|"")*")*\n/g) ?? [];
}

function csvField(value: string | number | undefined): string {
  const text = String(value ?? '');
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
