import { rejectUnknownKeys } from '@localgrad/core';
import { ink, mutedInk, paper } from '../theme/palette.js';
import type { ChartSpec } from './chart.js';

export interface ChartFrameOptions {
  readonly title: string;
  readonly subtitle?: string;
  readonly parts: readonly ChartSpec[];
  /** Number of parts side by side. Default: all. */
  readonly columns?: number;
}

/** Several charts in one drawing with a title, on paper. Each keeps its own colors. */
export function chartFrame(options: ChartFrameOptions): ChartSpec {
  rejectUnknownKeys('chartFrame', options, ['title', 'subtitle', 'parts', 'columns']);
  const { title, subtitle, parts, columns = parts.length } = options;
  const words = subtitle === undefined ? {} : { subtitle, subtitleFontSize: 12.5, subtitlePadding: 8 };
  return {
    background: paper,
    padding: 24,
    title: { text: title, fontSize: 17, offset: 22, color: ink, subtitleColor: mutedInk, ...words },
    columns,
    spacing: 36,
    concat: parts,
    resolve: {
      scale: { color: 'independent', shape: 'independent', strokeDash: 'independent' },
      legend: { color: 'independent' },
    },
  };
}
