import type { ChartSpec } from '../charts/chart.js';
import { placeLabels } from '../charts/label-places.js';
import { labelSize } from '../charts/line-labels.js';
import type { Look } from '../charts/look.js';
import { panelWidth } from '../charts/panel.js';
import { colorOf, mutedInk, paper } from '../theme/palette.js';

/** A condition at its cost. */
export interface CostPoint extends Omit<Look, 'dash'> {
  readonly text: string;
  readonly x: number;
  readonly y: number;
  readonly low: number | null;
  readonly high: number | null;
}

export interface CostChartOptions {
  readonly title: string;
  /** Title of the axis of costs. */
  readonly x: string;
  readonly y: { readonly title: string; readonly domain: readonly [number, number]; readonly format: string | null };
  /** The points on the Pareto front, from the lowest cost to the highest. */
  readonly front: readonly CostPoint[];
}

/** Higher than other panels, to separate points of similar values. */
const height = 270;
const align = ['left', 'right', 'center'] as const;

/** The compared metric against a cost: whiskers are intervals, a dashed line joins the Pareto front, dominated points are hollow. */
export function costChart(points: readonly CostPoint[], { title, x, y, front }: CostChartOptions): ChartSpec {
  const { domain: yDomain, format } = y;
  const values = points.map((point) => ({ ...point, stroke: colorOf(point.color), isFront: front.includes(point) }));
  const xDomain: [number, number] = [0, 1.1 * Math.max(...points.map((point) => point.x))];
  const across = (value: number) => (panelWidth * (value - xDomain[0])) / (xDomain[1] - xDomain[0]);
  const down = (value: number) => height * (1 - (value - yDomain[0]) / (yDomain[1] - yDomain[0]));
  const labels = placeLabels(
    points.map(({ x, y, low, high, text }) => ({
      x: across(x),
      y: down(y),
      text,
      whisker: low === null || high === null ? null : [down(high), down(low)],
    })),
    panelWidth,
    height,
    [...front].sort((a, b) => a.x - b.x).map(({ x, y }) => ({ x: across(x), y: down(y) })),
  ).map((label, index) => ({
    ...label,
    x: xDomain[0] + (label.x / panelWidth) * (xDomain[1] - xDomain[0]),
    y: yDomain[0] + (1 - label.y / height) * (yDomain[1] - yDomain[0]),
    pointX: points[index]?.x,
    pointY: points[index]?.y,
    stroke: colorOf(points[index]?.color ?? 0),
  }));
  const color = { field: 'stroke', type: 'nominal', scale: null };
  const xChannel = {
    field: 'x',
    type: 'quantitative',
    title: x,
    scale: { domain: xDomain, nice: false },
    axis: { tickCount: 5, labelFlush: false },
  };
  const yChannel = {
    field: 'y',
    type: 'quantitative',
    title: y.title,
    scale: { domain: yDomain, nice: false, zero: false },
    axis: { ...(format === null ? {} : { format }), tickCount: 5 },
  };
  return {
    ...(title === '' ? {} : { title: { text: title, fontSize: 13, offset: 12 } }),
    width: panelWidth,
    height,
    layer: [
      {
        data: { values: front.map((point) => ({ x: point.x, y: point.y })) },
        mark: { type: 'line', color: mutedInk, strokeWidth: 1.25, strokeDash: [4, 4] },
        encoding: { x: xChannel, y: yChannel },
      },
      {
        data: { values: values.filter(({ low }) => low !== null) },
        mark: { type: 'rule', strokeWidth: 1.25, opacity: 0.6, clip: true },
        encoding: { x: xChannel, y: { ...yChannel, field: 'low' }, y2: { field: 'high' }, color: color },
      },
      {
        data: { values },
        mark: { type: 'point', size: 62, strokeWidth: 2, opacity: 1 },
        encoding: {
          x: xChannel,
          y: yChannel,
          shape: { field: 'shape', type: 'nominal', scale: null },
          stroke: color,
          fill: {
            condition: { test: 'datum.isFront', field: 'stroke', type: 'nominal', scale: null },
            value: paper,
          },
        },
      },
      {
        data: { values: labels.filter(({ isFar }) => isFar) },
        mark: { type: 'rule', strokeWidth: 1, opacity: 0.7 },
        encoding: {
          x: { ...xChannel, field: 'pointX' },
          y: { ...yChannel, field: 'pointY' },
          x2: { field: 'x' },
          y2: { field: 'y' },
          color: color,
        },
      },
      ...align.map((side) => ({
        data: { values: labels.filter((label) => label.align === side) },
        mark: { type: 'text', align: side, baseline: 'middle', fontSize: labelSize, fontWeight: 'bold' },
        encoding: { x: xChannel, y: yChannel, text: { field: 'text' }, color: color },
      })),
    ],
  };
}
