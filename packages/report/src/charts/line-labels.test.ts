import { describe, expect, it } from 'vitest';
import { type LineLabel, placeLineLabels, rowsOf } from './line-labels.js';
import { spread } from './scales.js';

const width = 250;
const height = 190;
const line = (label: string, ...points: [x: number, y: number][]) => ({
  label,
  points: points.map(([x, y]) => ({ x, y })),
});
const by = (labels: readonly LineLabel[]) => [...labels].sort((a, b) => a.line - b.line);

/** A text covers the area to the right of its x, and half its rows above and below its y. */
function overlaps(a: LineLabel, b: LineLabel): boolean {
  const wide = (label: LineLabel) => 7 * Math.max(...label.text.map(({ length }) => length));
  const tall = 6.5 * (a.text.length + b.text.length);
  return a.x < b.x + wide(b) && b.x < a.x + wide(a) && Math.abs(a.y - b.y) < tall;
}

describe('names of lines', () => {
  it('are placed at the ends of their lines, without a leader if there is room', () => {
    const [short, long] = by(
      placeLineLabels([line('a', [0, 90], [60, 40]), line('b', [0, 180], [250, 150])], width, height),
    );
    expect(short).toMatchObject({ text: ['a'], y: 40, leader: null });
    expect(short?.x).toBeGreaterThan(60);
    expect(short?.x).toBeLessThan(75);
    expect(long).toMatchObject({ text: ['b'], y: 150, leader: null });
    expect(long?.x).toBeGreaterThan(width);
  });

  it('move apart if lines end close to each other, with leaders to the moved ones', () => {
    const ends = [90, 92, 94, 96, 98];
    const labels = placeLineLabels(
      ends.map((y, index) => line(`line ${index}`, [0, 150], [width, y])),
      width,
      height,
    );
    labels.forEach((a, index) => {
      for (const b of labels.slice(index + 1)) expect(overlaps(a, b)).toBe(false);
    });
    for (const { y, leader, line: index } of labels) {
      const end = ends[index] as number;
      expect(leader === null ? Math.abs(y - end) : Math.hypot(leader.y - end, leader.x - width)).toBeLessThanOrEqual(
        leader === null ? 8 : 0,
      );
    }
    expect(labels.some(({ leader }) => leader !== null)).toBe(true);
  });

  it('do not cover other lines', () => {
    const [short] = by(
      placeLineLabels([line('short', [0, 90], [80, 60]), line('long', [0, 62], [250, 58])], width, height),
    );
    const atLine = 62 - (4 * (short?.x ?? 0)) / 250;
    expect(Math.abs((short?.y ?? 0) - atLine)).toBeGreaterThan(7);
    expect(short?.leader).toEqual({ x: 80, y: 60 });
  });

  it('wrap between words into rows of similar length, and are never truncated', () => {
    expect(rowsOf('end to end')).toEqual(['end to end']);
    expect(rowsOf('end to end, 12 epochs')).toEqual(['end to end,', '12 epochs']);
    expect(rowsOf('mlaan(infopro(head: x, y: z))').join(' ')).toBe('mlaan(infopro(head: x, y: z))');
  });
});

it('reserves more space for taller items', () => {
  const placed = spread([{ y: 50, size: 2 }, { y: 50 }], 10, [0, 100]);
  expect(placed.map(({ at }) => at)).toEqual([45, 60]);
});
