import type { ChartSpec } from '../charts/chart.js';

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
  'overview',
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
  /** Also written into its file. */
  readonly title: string;
  /** Heading on the page. Default: the title. */
  readonly heading?: string;
  readonly caption: string;
  readonly panels: readonly FigurePanel[];
  /** Panels beside each other in its file; two by default, so that text can be read in a column of a page. */
  readonly columns?: number;
  /** In its file, the first panel stands alone on the left and the others are stacked beside it. */
  readonly hasLead?: boolean;
  readonly table: DataTable;
}
