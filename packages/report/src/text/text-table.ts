import Table from 'cli-table3';

export type Alignment = 'left' | 'right';

/** A table of plain text: a rule under the header, no other lines. */
export function textTable(
  header: readonly string[],
  rows: readonly (readonly string[])[],
  alignments: readonly Alignment[] = [],
): string {
  const none = {
    top: '',
    'top-mid': '',
    'top-left': '',
    'top-right': '',
    bottom: '',
    'bottom-mid': '',
    'bottom-left': '',
    'bottom-right': '',
  };
  const table = new Table({
    head: [...header],
    colAligns: header.map((_, index) => alignments[index] ?? 'left'),
    chars: { ...none, left: '', 'left-mid': '', mid: '', 'mid-mid': '', right: '', 'right-mid': '', middle: '  ' },
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0, compact: true },
  });
  table.push(...rows.map((row) => [...row]));
  const [first = '', ...rest] = table.toString().split('\n');
  return [first.trimEnd(), '─'.repeat(first.trimEnd().length), ...rest.map((line) => line.trimEnd())].join('\n');
}
