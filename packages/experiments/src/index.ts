export { checkConditions } from './execution/check-conditions.js';
export { chosenConditions } from './execution/chosen-conditions.js';
export { describeMessage } from './execution/describe-message.js';
export { type DivergedRun, divergedRuns } from './execution/diverged-runs.js';
export { createExperiment, readExperiment } from './execution/experiment-file.js';
export { interruption } from './execution/interruption.js';
export { type LeftRun, leftRuns, renderLeft } from './execution/left-runs.js';
export { loadStudyParts } from './execution/load-study-parts.js';
export { runLocally } from './execution/local-executor.js';
export { defaultSweepFolder, openSweep } from './execution/open-sweep.js';
export { OutputWatch } from './execution/output-watch.js';
export { type PlanOptions, planSweep, type SweepPlan } from './execution/plan-sweep.js';
export {
  checkedSweep,
  type ExperimentSource,
  prepareSweep,
  type RunnableSweep,
  type SweepPlace,
} from './execution/prepare-sweep.js';
export { submitSweep, sweepCommands, sweepJob } from './execution/queue-sweep.js';
export { runSweep, type SweepEvent, type SweepExecution } from './execution/run-sweep.js';
export { type SweepResult, summarizeSweep } from './execution/sweep-result.js';
export { TaskRunner, type WorkerMessage } from './execution/task-runner.js';
export { type WorkerOptions, type WorkerResult, workOnSweep } from './execution/work-on-sweep.js';
export { hasParent, tellParent, withParent } from './execution/worker-channel.js';
export * from './executors/index.js';
export { quoted } from './executors/shell.js';
export * from './files/index.js';
export { bestCandidate, commonMetric, lastValues, metricsOf, selectionOf } from './results/choice.js';
export { combineStudies, type StudyPart } from './results/combine-studies.js';
export { conditionsBySetting, isChoosingSeed } from './results/settings.js';
export type { ComparisonRule, Condition, FinishedRun, StoppedRun, Study } from './results/study.js';
export * from './sweep/index.js';
