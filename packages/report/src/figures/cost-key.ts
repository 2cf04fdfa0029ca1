import { labelSize } from '../charts/line-labels.js';
import { panelWidth } from '../charts/panel.js';
import { type ConditionRow, isEndToEnd } from '../condition-rows.js';
import type { Line } from '../panels.js';
import { colorOf, ink } from '../theme/palette.js';
import type { FigurePanel } from './figure.js';

interface Entry {
  readonly text: string;
  readonly line: Line;
  readonly isHead: boolean;
}

/** Width of a panel with its axis, so that the page shows both at the same scale. */
const leastWidth = panelWidth + 56;
const rowHeight = 15;
/** Rows per column. */
const mostRows = 24;
/** Slightly more than the mean of DejaVu Sans at the size of labels. */
const characterWidth = 7.2;

/** Meaning of the colors and numbers of points, so that the drawing can be read without the page. */
export function costKey(rows: readonly ConditionRow[], lines: ReadonlyMap<string, Line>): FigurePanel {
  const entries = entriesOf(rows, lines);
  const columns = Math.ceil(entries.length / mostRows);
  const perColumn = Math.ceil(entries.length / columns);
  const width = Math.max(
    leastWidth / columns,
    40 + characterWidth * Math.max(...entries.map(({ text }) => text.length)),
  );
  const values = entries.map(({ text, line, isHead }, index) => ({
    text,
    isHead,
    shape: line.shape,
    stroke: colorOf(line.color),
    x: 6 + width * Math.floor(index / perColumn),
    textX: (isHead ? 18 : 26) + width * Math.floor(index / perColumn),
    y: 8 + rowHeight * (index % perColumn),
  }));
  const pixels = (field: string) => ({ field, type: 'quantitative', scale: null, axis: null });
  const text = { type: 'text', align: 'left', baseline: 'middle', fontSize: labelSize };
  const color = { field: 'stroke', type: 'nominal', scale: null };
  return {
    title: 'Key',
    description: `Key. ${rows.map(({ number, condition }) => `${number}: ${condition.name}`).join('; ')}.`,
    spec: {
      title: { text: 'Key', fontSize: 13, offset: 12 },
      width: width * columns,
      height: rowHeight * perColumn,
      layer: [
        {
          data: { values: values.filter(({ isHead }) => isHead) },
          mark: { type: 'point', filled: true, size: 62, opacity: 1 },
          encoding: {
            x: pixels('x'),
            y: pixels('y'),
            color: color,
            shape: { field: 'shape', type: 'nominal', scale: null },
          },
        },
        {
          data: { values: values.filter(({ isHead }) => isHead) },
          mark: { ...text, fontWeight: 'bold' },
          encoding: { x: pixels('textX'), y: pixels('y'), text: { field: 'text' }, color: color },
        },
        {
          data: { values: values.filter(({ isHead }) => !isHead) },
          mark: { ...text, color: ink },
          encoding: { x: pixels('textX'), y: pixels('y'), text: { field: 'text' } },
        },
      ],
    },
  };
}

/** Conditions grouped by the value of the compared factor, which determines their color. */
function entriesOf(rows: readonly ConditionRow[], lines: ReadonlyMap<string, Line>): Entry[] {
  const groups = new Map<string, { line: Line; rows: ConditionRow[] }>();
  for (const row of rows) {
    const line = lines.get(row.condition.key);
    if (line === undefined) continue;
    const isNeutral = line.shape === 'square' && line.color === 0;
    const name = isNeutral && isEndToEnd(row) ? 'end to end' : line.label;
    const group = groups.get(name) ?? { line, rows: [] };
    group.rows.push(row);
    groups.set(name, group);
  }
  return [...groups].flatMap(([name, { line, rows }]): Entry[] => {
    const [first] = rows;
    const named = (row: ConditionRow) => `${row.number}  ${row.condition.name}`;
    if (first !== undefined && rows.length === 1 && first.condition.name === name)
      return [{ text: named(first), line, isHead: true }];
    return [{ text: name, line, isHead: true }, ...rows.map((row) => ({ text: named(row), line, isHead: false }))];
  });
}
