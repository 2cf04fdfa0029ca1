import { spread } from './scales.js';

/** A line of a chart in pixels, y downwards. */
export interface DrawnLine {
  readonly label: string;
  readonly points: readonly { readonly x: number; readonly y: number }[];
}

/** The name of a line. */
export interface LineLabel {
  /** Index of the line. */
  readonly line: number;
  readonly text: readonly string[];
  /** Left end of the text and its vertical center. */
  readonly x: number;
  readonly y: number;
  /** End of the line if the label needs a leader to it. */
  readonly leader: { readonly x: number; readonly y: number } | null;
}

interface Box {
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
}

export const labelSize = 12;
/** Slightly more than the mean of bold DejaVu Sans at that size. */
const characterWidth = 7.9;
export const rowHeight = 14;
/** Longer names wrap between words. */
const longestRow = 16;
/** From the end of a line to its name. */
const distance = 9;
/** A name that is closer to its line's end needs no leader. */
const near = 8;
/** Lines that end this close to the edge have their names beside the panel. */
const edge = 14;

/**
 * Places the name of each line at its end. Names beside the panel move apart; names of lines that end earlier go where they
 * cover the least: greedily, the nearest position first.
 */
export function placeLineLabels(lines: readonly DrawnLine[], width: number, height: number): LineLabel[] {
  const ends = lines.flatMap(({ label, points }, line) => {
    const end = points.at(-1);
    return end === undefined ? [] : [{ line, text: rowsOf(label), end, y: end.y }];
  });
  const isOutside = ({ end }: (typeof ends)[number]) => end.x >= width - edge;
  const outside = spread(
    ends.filter(isOutside).map((of) => ({ ...of, size: of.text.length })),
    rowHeight,
    [0, height],
  ).map((of) => labelAt(of, width + distance, of.at));
  const inked = lines.flatMap(({ points }) => samples(points));
  const taken = outside.map(boxOf);
  const inside = ends
    .filter((of) => !isOutside(of))
    .map((of) => {
      const { end } = of;
      const choices = candidates(end, width).map(([x, y]) => {
        const label = labelAt(of, x, y);
        const away = Math.hypot(x - end.x, y - end.y);
        return { label, badness: badness(boxOf(label), taken, inked, height) + 0.5 * away };
      });
      const { label } = choices.reduce((a, b) => (b.badness < a.badness - 1e-9 ? b : a));
      taken.push(boxOf(label));
      return label;
    });
  return [...outside, ...inside];
}

/** Wraps a name between words into as few rows as possible, of similar length. */
export function rowsOf(label: string): string[] {
  const words = label.split(' ');
  const count = broken(words, longestRow).length;
  const limit = Array.from({ length: longestRow }, (_, at) => at + 1).find((at) => broken(words, at).length <= count);
  return broken(words, limit ?? longestRow);
}

function broken(words: readonly string[], limit: number): string[] {
  const rows: string[] = [];
  for (const word of words) {
    const last = rows.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= limit) rows[rows.length - 1] = `${last} ${word}`;
    else rows.push(word);
  }
  return rows;
}

interface Ending extends Pick<LineLabel, 'line' | 'text'> {
  readonly end: { readonly x: number; readonly y: number };
}

function labelAt({ line, text, end }: Ending, x: number, y: number): LineLabel {
  const isMoved = Math.abs(y - end.y) > near || x - end.x > distance + edge;
  return { line, text, x, y, leader: isMoved ? end : null };
}

/** Candidate positions to the right of the end of a line: at, above or below its height and, last, beside the panel. */
function candidates({ x, y }: { readonly x: number; readonly y: number }, width: number): [number, number][] {
  const heights = Array.from({ length: 51 }, (_, at) => y + 4 * (at % 2 === 0 ? at / 2 : -(at + 1) / 2));
  return [x + distance, x + 3 * distance, width + distance].flatMap((left) =>
    heights.map((height): [number, number] => [left, height]),
  );
}

function badness(box: Box, taken: readonly Box[], inked: DrawnLine['points'], height: number): number {
  const covered = inked.filter(
    ({ x, y }) => x > box.left - 3 && x < box.right + 3 && y > box.top - 2 && y < box.bottom + 2,
  ).length;
  const overlapping = taken.filter(
    (other) => box.left < other.right && other.left < box.right && box.top < other.bottom && other.top < box.bottom,
  ).length;
  const outside = Math.max(0, -10 - box.top) + Math.max(0, box.bottom - height - 4);
  return 10 * covered + 500 * overlapping + 100 * outside;
}

function boxOf({ text, x, y }: LineLabel): Box {
  const width = characterWidth * Math.max(...text.map(({ length }) => length));
  const half = (rowHeight * text.length) / 2;
  return { left: x, right: x + width, top: y - half, bottom: y + half };
}

/** Points along a line, a few pixels apart. */
function samples(points: DrawnLine['points']): DrawnLine['points'] {
  return points.flatMap((to, index) => {
    const from = points[index - 1];
    if (from === undefined) return [to];
    const count = Math.max(1, Math.round(Math.hypot(to.x - from.x, to.y - from.y) / 3));
    return Array.from({ length: count }, (_, at) => {
      const share = (at + 1) / count;
      return { x: from.x + share * (to.x - from.x), y: from.y + share * (to.y - from.y) };
    });
  });
}
