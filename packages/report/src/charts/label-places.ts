/** Position of a label next to its point, in pixels. */
export interface PlacedLabel {
  readonly text: string;
  /** Start, end or middle of the text, depending on `align`. */
  readonly x: number;
  readonly y: number;
  readonly align: 'left' | 'right' | 'center';
  /** Whether the label is far enough from its point to need a leader line. */
  readonly isFar: boolean;
}

interface Point {
  readonly x: number;
  readonly y: number;
  readonly text: string;
  /** Ends of its whisker, from top to bottom. */
  readonly whisker?: readonly [top: number, bottom: number] | null;
}

interface Box {
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
}

/** Slightly more than the mean of bold DejaVu Sans at the size of labels. */
const characterWidth = 7.9;
const height = 14;
const distance = 8;

/**
 * Places each label next to its point so that it covers few other labels and points, and little of a line: greedily, among candidates to the
 * right, left, above, below and at the corners, nearest first.
 *
 * @param line corners of a line through the area
 */
export function placeLabels(
  points: readonly Point[],
  width: number,
  areaHeight: number,
  line: readonly Pick<Point, 'x' | 'y'>[] = [],
): PlacedLabel[] {
  const onLine = piecesOf(line);
  const marks = points.map(({ x, y }): Box => ({ left: x - 5, right: x + 5, top: y - 5, bottom: y + 5 }));
  const taken: Box[] = [];
  const whiskers = points.flatMap(({ x, whisker }): Box[] =>
    whisker ? [{ left: x - 1.5, right: x + 1.5, top: whisker[0], bottom: whisker[1] }] : [],
  );
  return points.map((point, index) => {
    const own = marks.filter((_, at) => at !== index);
    const choices = candidates(point).map((label) => {
      const box = boxOf(label);
      const outside = box.left < 0 || box.right > width || box.top < 0 || box.bottom > areaHeight ? 1 : 0;
      const covered = [...taken, ...own, ...whiskers, ...onLine].reduce((sum, other) => sum + overlap(box, other), 0);
      return {
        label,
        box,
        badness: 10 * covered + 1000 * outside + (label.isFar ? Math.hypot(label.x - point.x, label.y - point.y) : 0),
      };
    });
    const best = choices.reduce((a, b) => (b.badness < a.badness - 1e-9 ? b : a));
    taken.push(best.box);
    return best.label;
  });
}

/** Small boxes along a line, one per two pixels. */
function piecesOf(line: readonly Pick<Point, 'x' | 'y'>[]): Box[] {
  return line.slice(1).flatMap((to, index): Box[] => {
    const from = line[index] ?? to;
    const count = Math.max(1, Math.ceil(Math.hypot(to.x - from.x, to.y - from.y) / 2));
    return Array.from({ length: count + 1 }, (_, at) => {
      const [x, y] = [from.x + ((to.x - from.x) * at) / count, from.y + ((to.y - from.y) * at) / count];
      return { left: x - 1.5, right: x + 1.5, top: y - 1.5, bottom: y + 1.5 };
    });
  });
}

function candidates({ x, y, text }: Point): PlacedLabel[] {
  return [1, 2, 3, 4].flatMap((scale): PlacedLabel[] => {
    const isFar = scale > 1;
    const reach = distance * scale;
    return [
      { text, x: x + reach, y, align: 'left', isFar },
      { text, x: x - reach, y, align: 'right', isFar },
      { text, x, y: y - reach - 4, align: 'center', isFar },
      { text, x, y: y + reach + 4, align: 'center', isFar },
      { text, x: x + reach, y: y - reach, align: 'left', isFar },
      { text, x: x + reach, y: y + reach, align: 'left', isFar },
      { text, x: x - reach, y: y - reach, align: 'right', isFar },
      { text, x: x - reach, y: y + reach, align: 'right', isFar },
    ];
  });
}

function boxOf({ text, x, y, align }: PlacedLabel): Box {
  const width = characterWidth * text.length;
  const left = align === 'left' ? x : align === 'right' ? x - width : x - width / 2;
  return { left, right: left + width, top: y - height / 2, bottom: y + height / 2 };
}

function overlap(a: Box, b: Box): number {
  const width = Math.min(a.right, b.right) - Math.max(a.left, b.left);
  const tall = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
  return width > 0 && tall > 0 ? width * tall : 0;
}
