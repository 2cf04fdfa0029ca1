// What the scripts that write tables into pages have in common.
import { readFileSync, writeFileSync } from 'node:fs';

/** Records of a CSV file (RFC 4180, one line each) by column. */
export function table(file) {
  const [header, ...records] = readFileSync(file, 'utf8')
    .split(/\r?\n/)
    .filter((line) => line !== '')
    .map((line) =>
      [...line.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^,]*))/g)].map(
        ([, quoted, plain]) => quoted?.replaceAll('""', '"') ?? plain,
      ),
    );
  return records.map((fields) => Object.fromEntries(header.map((name, index) => [name, fields[index] ?? ''])));
}

/** Writes a table between two lines of a page; with `isCheck`, ends the program if it is another one. */
export function writeBetween(page, [begin, end], text, script, isCheck) {
  const before = readFileSync(page, 'utf8');
  const [from, to] = [before.indexOf(begin), before.indexOf(end)];
  if (from < 0 || to < from) fail(`${page}: the lines '${begin}' and '${end}' are required, in this order`);
  const after = `${before.slice(0, from + begin.length)}\n\n${text}\n\n${before.slice(to)}`;
  if (!isCheck) writeFileSync(page, after);
  else if (after !== before) fail(`${page}: the table is out of date; run: node benchmarks/${script}`);
}

export function fail(message) {
  console.error(message);
  process.exit(1);
}
