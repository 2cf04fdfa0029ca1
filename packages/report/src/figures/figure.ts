import type { ChartSpec } from '../charts/chart.js';

/** Numbers behind a figure. */
export interface DataTable {
  readonly columns: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

/** One drawing of a figure. */
export interface FigurePanel {
  readonly title: string;
  /** Text alternative. */
  readonly description: string;
  readonly spec: ChartSpec;
}

/** Figures that a report can have. */
export type FigureId =
  | 'overview'
  | 'learning-curves'
  | 'accuracy-against-cost'
  | 'equal-compute'
  | 'module-losses'
  | 'linear-separability';

/** A figure of the report: panels that share their axes, and their numbers. */
export interface Figure {
  /** Name of its files. */
  readonly id: FigureId;
  /** Also written into its file. */
  readonly title: string;
  /** Heading on the page. Default: the title. */
  readonly heading?: string;
  readonly caption: string;
  readonly panels: readonly FigurePanel[];
  /** Number of panels side by side in its file. Default 2, so that text is readable in a column of a page. */
  readonly columns?: number;
  /** In its file, the first panel stands alone on the left and the others are stacked beside it. */
  readonly hasLead?: boolean;
  readonly table: DataTable;
}
