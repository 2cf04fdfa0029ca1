export { type AverageEffect, averageEffects } from './comparison/average-effects.js';
export {
  type AccuracyMeasure,
  type ConditionComparison,
  compareConditions,
  comparePairs,
  type StudyComparisons,
} from './comparison/compare-conditions.js';
export { explanationSvg } from './explain/figure.js';
export { weightText } from './explain/labels.js';
export type { PlanFigure } from './plan-files.js';
export {
  colourOf,
  darkTheme,
  ink,
  lightTheme,
  mutedInk,
  pageColourOf,
  paper,
  withPageColours,
} from './theme/palette.js';
export { pngOf } from './theme/png.js';
export { type ChartSpec, fontFamily, renderSvg, withOwnIds } from './theme/svg.js';
export { type ReportFiles, type ReportOptions, writeReport } from './write-report.js';
