export * from './checkpoints/index.js';
export * from './files/index.js';
export * from './report/index.js';
export type { RunEnvironment, RunSummary, SummaryCost, SummaryObjective } from './results/run-summary.js';
export type { ComparisonRule, Condition, FinishedRun, Study } from './results/study.js';
export * from './runs/index.js';
export * from './statistics/index.js';
export * from './sweep/index.js';
export * from './trackers/index.js';
