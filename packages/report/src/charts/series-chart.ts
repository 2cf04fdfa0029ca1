import { rejectUnknownKeys } from '@localgrad/core';
import { colorOf, mutedInk } from '../theme/palette.js';
import type { ChartSpec } from './chart.js';
import { panelWidth } from './panel.js';

export interface SeriesPoint {
  /** Name of the series. */
  readonly name: string;
  readonly x: number;
  readonly y: number;
}

export interface SeriesChartOptions {
  readonly title: string;
  readonly subtitle: string;
  /** Title of the x axis. */
  readonly x: string;
  /** Ticks of the x axis. Default: chosen by the renderer. */
  readonly xValues?: readonly number[];
  readonly yDomain?: readonly [number, number];
  readonly height: number;
  /** Names of all series; their order determines the colors. */
  readonly names: readonly string[];
  readonly lines: readonly SeriesPoint[];
  /** Default: the points of the lines. */
  readonly marks?: readonly SeriesPoint[];
  /** Height of a dashed horizontal line. */
  readonly limit?: number;
  /** Default false. */
  readonly hasLegend?: boolean;
}

const optionNames = [
  'title',
  'subtitle',
  'x',
  'xValues',
  'yDomain',
  'height',
  'names',
  'lines',
  'marks',
  'limit',
  'hasLegend',
] as const satisfies readonly (keyof SeriesChartOptions)[];

/** Lines of named series with marked points. */
export function seriesChart(options: SeriesChartOptions): ChartSpec {
  rejectUnknownKeys('seriesChart', options, optionNames);
  const {
    title,
    subtitle,
    x,
    xValues,
    yDomain,
    height,
    names,
    lines,
    marks = lines,
    limit,
    hasLegend = false,
  } = options;
  const ticks = xValues === undefined ? {} : { values: [...xValues] };
  const y = { field: 'y', type: 'quantitative', title: null };
  return {
    title: { text: title, subtitle },
    width: panelWidth,
    height,
    encoding: {
      x: { field: 'x', type: 'quantitative', title: x, axis: { grid: false, ...ticks } },
      y: yDomain === undefined ? y : { ...y, scale: { domain: yDomain, nice: false } },
      color: {
        field: 'name',
        type: 'nominal',
        scale: { domain: names, range: names.map((_, index) => colorOf(index)) },
        legend: hasLegend ? { title: null, labelLimit: 260, orient: 'right' } : null,
      },
    },
    layer: [
      { data: { values: lines }, mark: { type: 'line', strokeWidth: 2.5 } },
      { data: { values: marks }, mark: { type: 'point', size: 55, filled: true, opacity: 1 } },
      ...(limit === undefined
        ? []
        : [
            {
              data: { values: [{ y: limit }] },
              mark: { type: 'rule', stroke: mutedInk, strokeDash: [5, 4] },
              encoding: { x: null, color: null },
            },
          ]),
    ],
  };
}
