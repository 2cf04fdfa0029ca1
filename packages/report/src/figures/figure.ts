import type { ChartSpec } from '../theme/svg.js';

/** Numbers behind a figure, or any other table. */
export interface DataTable {
  readonly columns: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

/** One drawing of a figure. */
export interface FigurePanel {
  readonly title: string;
  /** What is to be seen, for readers who do not see it. */
  readonly description: string;
  readonly spec: ChartSpec;
}

/** Names of all figures that a report can have. */
export const figureIds = [
  'learning-curves',
  'accuracy-against-cost',
  'equal-compute',
  'module-losses',
  'linear-separability',
] as const;
export type FigureId = (typeof figureIds)[number];

/** A figure of the report: drawings that share their axes, and the numbers that they show. */
export interface Figure {
  /** Name of its files. */
  readonly id: FigureId;
  readonly title: string;
  readonly caption: string;
  readonly panels: readonly FigurePanel[];
  /** Panels beside each other in its file; two by default, so that text can be read in a column of a page. */
  readonly columns?: number;
  readonly table: DataTable;
}

/** Size of a panel's plotting area in pixels. */
export const panelWidth = 250;
export const panelHeight = 190;
