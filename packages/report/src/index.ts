export { type Bar, type BarChartOptions, barChart } from './charts/bar-chart.js';
export { type ChartSpec, renderSvg } from './charts/chart.js';
export { type ChartFrameOptions, chartFrame } from './charts/frame.js';
export { pngOf } from './charts/png.js';
export { type SeriesChartOptions, type SeriesPoint, seriesChart } from './charts/series-chart.js';
export { type AverageEffect, averageEffects } from './comparison/average-effects.js';
export {
  type AccuracyMeasure,
  type ComparisonOptions,
  type ConditionComparison,
  compareConditions,
  comparePairs,
  type StudyComparisons,
} from './comparison/compare-conditions.js';
export { isDiverged } from './comparison/diverged.js';
export { explanationSvg } from './explain/figure.js';
export { weightText } from './explain/labels.js';
export { explanationText } from './explain/text.js';
export type { PlanFigure } from './plan-files.js';
export { type ConditionResult, type RunResult, type StudyResults, studyResults } from './study-results.js';
export { type Alignment, textTable } from './text/text-table.js';
export { type ReportFiles, type ReportOptions, writeReport } from './write-report.js';
