export type { PlanFigure } from './page/page.js';
export { type ReportFiles, type ReportOptions, writeReport } from './write-report.js';
