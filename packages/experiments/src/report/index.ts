export type { PlanFigure } from './plan-files.js';
export * from './theme/index.js';
export { type ReportFiles, type ReportOptions, writeReport } from './write-report.js';
