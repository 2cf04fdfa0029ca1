// What the scripts that write tables into pages have in common:
//   node SCRIPT [--check] [folder]
import { readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';

const options = process.argv.slice(2);
const isCheck = options.includes('--check');

/** The folder that the program was given. */
export const folder = options.find((option) => !option.startsWith('--'));
/** Root of the repository, for scripts whose folder that is. */
export const root = folder ?? join(import.meta.dirname, '..');

/** Lines around a table that a script of this folder writes. */
export function markers(name) {
  return [`<!-- ${name}: begin (benchmarks/${basename(process.argv[1])}) -->`, `<!-- ${name}: end -->`];
}

/** Writes a table between two lines of a page; with `--check`, ends the program if it is another one. */
export function writeBetween(page, [begin, end], text) {
  const before = readFileSync(page, 'utf8');
  const [from, to] = [before.indexOf(begin), before.indexOf(end)];
  if (from < 0 || to < from) fail(`${page}: the lines '${begin}' and '${end}' are required, in this order`);
  const after = `${before.slice(0, from + begin.length)}\n\n${text}\n\n${before.slice(to)}`;
  if (!isCheck) writeFileSync(page, after);
  else if (after !== before) {
    fail(`${page}: the table is out of date; run: node benchmarks/${basename(process.argv[1])}`);
  }
}

/** Records of a CSV file by column. */
export function table(file) {
  const [header, ...records] = parseCsv(readFileSync(file, 'utf8'));
  return records.map((fields) => Object.fromEntries(header.map((name, index) => [name, fields[index] ?? ''])));
}

/** RFC 4180: fields in quotes hold commas, line breaks, and quotes twice. */
export function parseCsv(text) {
  const records = [[]];
  const field = /(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r?\n|$)/y;
  while (field.lastIndex < text.length) {
    const start = field.lastIndex;
    const found = field.exec(text);
    if (found === null) fail(`CSV: ${JSON.stringify(text.slice(start, start + 40))} is no field`);
    const [, quoted, plain, separator] = found;
    records.at(-1).push(quoted === undefined ? plain : quoted.replaceAll('""', '"'));
    if (separator !== ',' && field.lastIndex < text.length) records.push([]);
  }
  return records;
}

export function fail(...messages) {
  for (const message of messages) console.error(message);
  process.exit(1);
}
