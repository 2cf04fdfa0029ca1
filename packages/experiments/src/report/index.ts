export type { PlanFigure } from './page/page.js';
export * from './theme/index.js';
export { type ReportFiles, type ReportOptions, writeReport } from './write-report.js';
