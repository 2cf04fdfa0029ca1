import { rejectUnknownKeys } from '@localgrad/core';
import { colorOf, ink } from '../theme/palette.js';
import type { ChartSpec } from './chart.js';
import { panelWidth } from './panel.js';

export interface Bar {
  readonly name: string;
  /** From 0. */
  readonly value: number;
  /** Written at the end of the bar. */
  readonly text: string;
  /** Index in the palette. Default: the position of the bar. */
  readonly color?: number;
}

export interface BarChartOptions {
  readonly title: string;
  readonly subtitle: string;
  readonly bars: readonly Bar[];
  /** Whether names stand to the left of the bars. Default true. */
  readonly hasNames?: boolean;
}

const rowHeight = 26;
/** Room for the text at the end of the longest bar, relative to its length. */
const textRoom = 0.5;

/** Horizontal bars from zero. Bars with equal names stay separate. */
export function barChart(options: BarChartOptions): ChartSpec {
  rejectUnknownKeys('barChart', options, ['title', 'subtitle', 'bars', 'hasNames']);
  const { title, subtitle, bars, hasNames = true } = options;
  const values = bars.map(({ color, ...bar }, index) => ({ ...bar, index, fill: colorOf(color ?? index) }));
  const most = Math.max(...bars.map(({ value }) => value), Number.MIN_VALUE);
  const names = `${JSON.stringify(bars.map(({ name }) => name))}[datum.value]`;
  return {
    title: { text: title, subtitle },
    width: panelWidth,
    height: rowHeight * bars.length,
    data: { values },
    encoding: {
      y: {
        field: 'index',
        type: 'ordinal',
        title: null,
        axis: hasNames ? { labelColor: ink, labelLimit: 360, labelExpr: names } : null,
        scale: { paddingInner: 0.35, paddingOuter: 0.1 },
      },
      x: {
        field: 'value',
        type: 'quantitative',
        axis: null,
        scale: { domain: [0, most * (1 + textRoom)], nice: false },
      },
    },
    layer: [
      {
        mark: { type: 'bar', cornerRadiusEnd: 3 },
        encoding: { color: { field: 'fill', type: 'nominal', scale: null } },
      },
      { mark: { type: 'text', align: 'left', dx: 8, fontSize: 12, fill: ink }, encoding: { text: { field: 'text' } } },
    ],
  };
}
