/**
 * The hosts of a list as Slurm writes it: `node[01-03,07],gpu1` is node01, node02, node03, node07 and gpu1. Several brackets
 * in one name are all combined, the last one fastest.
 */
export function hostsOf(list: string): string[] {
  return namesOf(list).flatMap(expanded);
}

/** Splits at commas outside of brackets. */
function namesOf(list: string): string[] {
  return list.match(/(?:\[[^\]]*\]|[^,[\]])+/g) ?? [];
}

function expanded(name: string): string[] {
  const match = /^([^[]*)\[([^\]]*)\](.*)$/.exec(name);
  if (match === null) return [name];
  const [, before = '', ranges = '', after = ''] = match;
  const ends = expanded(after);
  return ranges
    .split(',')
    .flatMap((range) => numbersOf(range).flatMap((number) => ends.map((end) => before + number + end)));
}

/** `01-03`: 01, 02, 03 */
function numbersOf(range: string): string[] {
  const [first = '', last = first] = range.split('-');
  const count = Math.max(0, Number(last) - Number(first) + 1);
  return Array.from({ length: count }, (_, index) => String(Number(first) + index).padStart(first.length, '0'));
}
