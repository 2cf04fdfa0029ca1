export type { PlanImages } from './batch-targets.js';
export type { BudgetChoice } from './budget/memory-budget.js';
export { buildNetwork, buildPlan, type NetworkConfig } from './build-plan.js';
export { type CheckpointPlace, type ExportedCheckpoint, exportedCheckpoints } from './checkpointed-backbone.js';
export { CheckpointFolder } from './checkpoints/checkpoint-folder.js';
export { checkAccumulation } from './config/check-images.js';
export { checkNames } from './config/check-names.js';
export { checkOutput } from './config/check-output.js';
export { checkRun } from './config/check-run.js';
export { type ConfigProblem, configError, configProblemOf } from './config/config-error.js';
export { checkCuts, withDecidedCuts } from './config/explicit-partition.js';
export { resolveConfig } from './config/resolve-config.js';
export { type NameOptions, resolveNames } from './config/resolve-names.js';
export { type RunConfig, type RunConfigInput, runConfigKeys, runConfigSchema } from './config/run-config.js';
export { parseRunFile, readRunFile } from './config/yaml-file.js';
export { describeRun } from './describe-run.js';
export { type EarlyStop, type Pause, RunPaused, RunStopped, readEarlyStop, type StopRule } from './early-stop.js';
export { type MeasurementEnvironment, measurementEnvironment } from './environment.js';
export { type EvaluateRunOptions, evaluateRun, type RunEvaluation } from './evaluate-run.js';
export { type ExecuteOptions, type KeepOptions, keepsCheckpoints } from './execute-options.js';
export { type ExecuteResult, executeRun } from './execute-run.js';
export { type ExplainedBudget, type ExplainOptions, type Explanation, explain, type Relation } from './explain.js';
export { type ExportOptions, type ExportReport, exportWeights, weightsFormats } from './export-weights.js';
export { type Fault, faultOf } from './fault.js';
export { type Attempt, type AttemptOutcome, type ClaimOptions, listAttempts } from './folder/attempts.js';
export { Claim } from './folder/claim.js';
export { codeOf, type FileSystem, fileSystem } from './folder/file-system.js';
export { absolutePath, createFolder, readBytesIfThere, readIfThere, writeWhole } from './folder/files.js';
export { canonicalJson, checksumOf, hashOf, sha256 } from './folder/hash.js';
export { MetricsFile } from './folder/metrics-file.js';
export { forgetFailures, noteFailure, noteLoss } from './folder/notes.js';
export {
  markerName,
  OwnedFolder,
  type OwnedFolderOptions,
  type Recognition,
} from './folder/owned-folder.js';
export {
  lookForEarlyStop,
  lookForEnvironment,
  lookForIdentity,
  lookForSummary,
  type RetryLimits,
  type RunState,
  type RunStatus,
  readRunState,
  readSummary,
} from './folder/run-state.js';
export { parseState, readStateFile, type StateFormat } from './folder/state-file.js';
export { explainWriteError } from './folder/write-errors.js';
export { configIdOf, runSchemaVersion, withoutDefaults } from './identity/config-identity.js';
export { defaultRunFolder } from './identity/default-run-folder.js';
export { inputDifferences } from './identity/differences.js';
export { fingerprintOf, type ImageFingerprint } from './identity/fingerprint.js';
export { differencesInFolder } from './identity/run-folder.js';
export { identifyRun, type RunIdentity } from './identity/run-identity.js';
export { dataKeys, loadData } from './load-data.js';
export { endLostAttempt } from './lost-attempt.js';
export {
  type ChosenPlacement,
  type PlacementBasis,
  placementText,
} from './pipeline/choose-placement.js';
export type { ExplainedCut, ExplainedPipeline, ExplainedWorker } from './pipeline/explain-pipeline.js';
export type { ExplainedForecast, ForecastMachines, PipelineForecast } from './pipeline/forecast.js';
export { findRunMember, type MachineOptions, onMachines, openMachines, serveRun } from './pipeline/run-machines.js';
export { type RunPipeline, type RunPipelineOptions, runPipeline } from './pipeline/run-pipeline.js';
export { workerBackends } from './pipeline/worker-backend.js';
export { type PrepareOptions, prepareRun } from './prepare-run.js';
export { areStreamed, type RunImages, type RunSplits } from './run-images.js';
export type {
  FileChecksum,
  RunEnvironment,
  RunSummary,
  SummaryCost,
  SummaryObjective,
} from './run-summary.js';
export type { TrackerOptions } from './run-trackers.js';
export { type ConfigIssue, explainIssues, issueText, unknownKey } from './yaml/issues.js';
export { readText } from './yaml/read-text.js';
export { parseYaml, validate, type YamlDocument } from './yaml/yaml-document.js';
