import { colourOf } from '../theme/palette.js';
import type { ChartSpec } from '../theme/svg.js';
import { panelHeight, panelWidth } from './figure.js';
import { shareFormat, spread } from './scales.js';

/** A line with its band; bounds are null where there is none. */
export interface ChartLine {
  readonly label: string;
  readonly colour: number;
  readonly isDashed: boolean;
  readonly points: readonly {
    readonly x: number;
    readonly y: number;
    readonly low: number | null;
    readonly high: number | null;
  }[];
}

/** Axes that all panels of a figure share. */
export interface LineChartOptions {
  readonly title: string;
  readonly x: string;
  readonly xDomain: readonly [number, number];
  readonly yDomain: readonly [number, number];
  /** Are all values of x whole numbers? */
  readonly isDiscrete: boolean;
}

/** More points than that would hide their line. */
const mostPoints = 12;
const labelHeight = 14;

/** Shares by x: lines with their names at the end, on bands that were computed before. */
export function lineChart(lines: readonly ChartLine[], { title, ...axes }: LineChartOptions): ChartSpec {
  const { xDomain, yDomain, isDiscrete } = axes;
  const points = lines.flatMap(({ label, isDashed, points }) => points.map((point) => ({ label, isDashed, ...point })));
  const longest = Math.max(...lines.map(({ points }) => points.length));
  const ends = lines.flatMap(({ label, points }) => {
    const last = points.at(-1);
    return last === undefined ? [] : [{ label, x: xDomain[1], y: last.y }];
  });
  const gap = (labelHeight / panelHeight) * (yDomain[1] - yDomain[0]);
  const scale = { domain: lines.map(({ label }) => label), range: lines.map(({ colour }) => colourOf(colour)) };
  return {
    ...(title === '' ? {} : { title: { text: title, fontSize: 12.5, offset: 10 } }),
    width: panelWidth,
    height: panelHeight,
    encoding: {
      x: {
        field: 'x',
        type: 'quantitative',
        title: axes.x,
        scale: { domain: xDomain, nice: false, zero: false },
        axis: { grid: false, tickCount: 5, ...(isDiscrete ? { tickMinStep: 1, format: 'd' } : {}) },
      },
      color: { field: 'label', type: 'nominal', scale, legend: null },
    },
    layer: [
      {
        data: { values: points.filter(({ low }) => low !== null) },
        mark: { type: 'area', opacity: 0.16, clip: true },
        encoding: { y: shares('low', yDomain), y2: { field: 'high' } },
      },
      {
        data: { values: points },
        mark: {
          type: 'line',
          strokeWidth: 2.25,
          strokeCap: 'round',
          ...(longest <= mostPoints ? { point: { size: 28, filled: true } } : {}),
        },
        encoding: {
          y: shares('y', yDomain),
          strokeDash: {
            field: 'isDashed',
            type: 'nominal',
            scale: {
              domain: [false, true],
              range: [
                [1, 0],
                [5, 5],
              ],
            },
            legend: null,
          },
        },
      },
      {
        data: { values: spread(ends, gap, yDomain) },
        mark: { type: 'text', align: 'left', dx: 10, fontSize: 11.5, fontWeight: 'bold', limit: 200 },
        encoding: { y: shares('at', yDomain), text: { field: 'label' } },
      },
    ],
  };
}

function shares(field: string, domain: readonly [number, number]) {
  return {
    field,
    type: 'quantitative',
    title: null,
    scale: { domain, nice: false, zero: false },
    axis: { format: shareFormat(domain), tickCount: 5 },
  };
}
