import { colorOf, paper } from '../theme/palette.js';
import type { ChartSpec } from './chart.js';
import { labelSize, placeLineLabels, rowHeight } from './line-labels.js';
import type { Look } from './look.js';
import { panelHeight, panelWidth } from './panel.js';

/** A line with its band. Bounds are null without a band. */
export interface ChartLine extends Look {
  readonly label: string;
  readonly points: readonly {
    readonly x: number;
    readonly y: number;
    readonly low: number | null;
    readonly high: number | null;
  }[];
}

/** Title and axes. The panels of a figure share the y axis only, so that short curves are not compressed by long ones. */
export interface LineChartOptions {
  readonly title: string;
  readonly x: string;
  readonly y: string;
  readonly xDomain: readonly [number, number];
  readonly yDomain: readonly [number, number];
  /** Number format of y. */
  readonly yFormat: string | null;
  /** Number format of x; `d` for integers. */
  readonly xFormat: string | null;
}

/** Lines with more points have no markers, which would hide the line. */
const mostPoints = 12;
/** Solid, the reference, then further lines of the same color. */
const patterns = [
  [1, 0],
  [5, 5],
  [10, 4, 2, 4],
  [2, 3],
  [12, 4],
  [6, 3, 2, 3, 2, 3],
] as const;

/** Values by x: lines with bands, and their names at their ends. */
export function lineChart(lines: readonly ChartLine[], { title, ...axes }: LineChartOptions): ChartSpec {
  const { xDomain, yDomain, xFormat, yFormat } = axes;
  const points = lines.flatMap(({ label, color, shape, dash, points: own }) =>
    own.map(({ x, y, low, high }) => ({
      label,
      x,
      y,
      low,
      high,
      shape,
      stroke: colorOf(color),
      pattern: patterns[dash % patterns.length],
      isMarked: own.length <= mostPoints,
    })),
  );
  const x = {
    field: 'x',
    type: 'quantitative',
    title: axes.x,
    scale: { domain: xDomain, nice: false, zero: false },
    axis: {
      grid: false,
      tickCount: 5,
      labelFlush: false,
      ...(xFormat === 'd' ? { tickMinStep: 1 } : {}),
      ...(xFormat === null ? {} : { format: xFormat }),
    },
  };
  const y = (field: string) => ({
    field,
    type: 'quantitative',
    title: axes.y,
    scale: { domain: yDomain, nice: false, zero: false },
    axis: { ...(yFormat === null ? {} : { format: yFormat }), tickCount: 5 },
  });
  const color = { field: 'stroke', type: 'nominal', scale: null };
  const line = { detail: { field: 'label', type: 'nominal' }, color: color };
  return {
    ...(title === '' ? {} : { title: { text: title, fontSize: 13, offset: 12 } }),
    width: panelWidth,
    height: panelHeight,
    layer: [
      {
        data: { values: points.filter(({ low }) => low !== null) },
        mark: { type: 'area', opacity: 0.16, clip: true },
        encoding: { x, y: y('low'), y2: { field: 'high' }, ...line },
      },
      {
        data: { values: points },
        mark: { type: 'line', strokeWidth: 2.25, strokeCap: 'butt' },
        encoding: { x, y: y('y'), strokeDash: { field: 'pattern', type: 'nominal', scale: null }, ...line },
      },
      {
        data: { values: points.filter(({ isMarked }) => isMarked) },
        mark: { type: 'point', filled: true, size: 34, opacity: 1 },
        encoding: { x, y: y('y'), shape: { field: 'shape', type: 'nominal', scale: null }, color: color },
      },
      ...labels(lines, axes),
    ],
  };
}

/** Names of lines, outlined in the paper color so that they are readable on bands and lines. */
function labels(lines: readonly ChartLine[], { xDomain, yDomain }: Omit<LineChartOptions, 'title'>): ChartSpec[] {
  const across = (value: number) => (panelWidth * (value - xDomain[0])) / (xDomain[1] - xDomain[0]);
  const down = (value: number) => panelHeight * (1 - (value - yDomain[0]) / (yDomain[1] - yDomain[0]));
  const placed = lines.flatMap(({ color, ...line }) =>
    line.points.length === 0 ? [] : [{ color, label: line.label, points: line.points }],
  );
  const values = placeLineLabels(
    placed.map(({ label, points }) => ({ label, points: points.map(({ x, y }) => ({ x: across(x), y: down(y) })) })),
    panelWidth,
    panelHeight,
  ).map(({ line, text, x, y, leader }) => ({
    text,
    x,
    y,
    stroke: colorOf(placed[line]?.color ?? 0),
    // Center of the first row.
    top: y - (rowHeight * (text.length - 1)) / 2,
    ...(leader === null ? {} : { fromX: leader.x + 4, fromY: leader.y, toX: x - 2 }),
  }));
  const pixels = (field: string) => ({ field, type: 'quantitative', scale: null, axis: null });
  const text = {
    type: 'text',
    align: 'left',
    baseline: 'middle',
    limit: 260,
    fontSize: labelSize,
    fontWeight: 'bold',
    lineHeight: rowHeight,
  };
  const encoding = { x: pixels('x'), y: pixels('top'), text: { field: 'text' } };
  const color = { field: 'stroke', type: 'nominal', scale: null };
  return [
    {
      data: { values: values.filter((label) => 'fromX' in label) },
      mark: { type: 'rule', strokeWidth: 1, opacity: 0.7 },
      encoding: { x: pixels('fromX'), y: pixels('fromY'), x2: { field: 'toX' }, y2: { field: 'y' }, color: color },
    },
    { data: { values }, mark: { ...text, stroke: paper, strokeWidth: 3, strokeJoin: 'round' }, encoding },
    { data: { values }, mark: text, encoding: { ...encoding, color: color } },
  ];
}
