/** A name as reports show it: names that differ only in spaces or in the encoding of accents look the same. */
export function plainName(name: string): string {
  return name.normalize('NFC').replace(/\s+/g, ' ').trim();
}
