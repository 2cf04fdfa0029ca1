export { type Averaging, isAveraged } from './averaged-probabilities.js';
export type { BatchSource, OwnedBatch } from './batch-source.js';
export {
  type CheckpointPolicy,
  captureTensors,
  type Evaluations,
  restoreRun,
  restoreTensors,
  type StoredRecord,
  type TrainingCheckpoint,
  type TrainingProgress,
} from './checkpoint.js';
export { type EvaluationOptions, type EvaluationResult, evaluateNetwork, requireMeasure } from './evaluation.js';
export {
  type BestEpoch,
  type EvaluationRecord,
  type EvaluationSet,
  isEvaluated,
  type ValidationSummary,
} from './evaluation-records.js';
export type {
  EpochEndEvent,
  EpochRecord,
  EpochStartEvent,
  EvaluationEndEvent,
  Losses,
  Observer,
  RecordingEvent,
  RunEndEvent,
  RunStartEvent,
  StepEndEvent,
  TrainingEvent,
} from './events.js';
export { finalHeadOf } from './final-head.js';
export { metricOf, requireMetric } from './head-metric.js';
export type { LossLogState } from './loss-log.js';
export { checkMemory, formatBytes } from './memory-check.js';
export {
  accuracyMetric,
  advantage,
  bestOf,
  choiceValue,
  formatMetric,
  isFraction,
  type MeasuredRecord,
  type Metric,
  metricValue,
} from './metric.js';
export { type ChosenEpoch, type MetricResults, resultsOf } from './metric-results.js';
export {
  type ConsoleProgressOptions,
  consoleProgress,
  formatSeconds,
  type ProgressStream,
} from './observers/console-progress.js';
export { metricsWriter } from './observers/metrics-writer.js';
export { type ProbeOptions, probeModules } from './probe.js';
export type { RunTotals } from './run-totals.js';
export type { PipelineStart, PipelineStep, StepPipeline, WorkerStep } from './step-pipeline.js';
export type { StoredNumber } from './stored-number.js';
export { type TrainOptions, train } from './trainer.js';
export type { TrainingResult } from './training-result.js';
