export { type BatchPart, partSizes, splitBatch } from './accumulation.js';
export { checkWeights } from './check-weights.js';
export { type CompiledPlan, type CompileOptions, compilePlan } from './compile.js';
export { startHistories, type WeightHistory } from './delayed-weights.js';
export {
  type ChainBlock,
  type ChainDescription,
  type DescribeOptions,
  describePlan,
  type ModuleDescription,
  type ObjectiveDescription,
  type PhaseDescription,
  type PlanDescription,
} from './description.js';
export { endStep } from './end-step.js';
export { forwardBlocks, forwardNetwork, predict } from './evaluation.js';
export { createExecutor } from './executor.js';
export type { ExecutorOptions, GradientCrossings } from './executor-options.js';
export type { GradientDelay, GradientDelayOptions, LateBackward, Segment } from './gradient-delay.js';
export { costOfHeads, type HeadCostOptions, type HeadsCost } from './head-costs.js';
export { batchTargetsOf, type CompiledHead } from './heads.js';
export { createLiteralExecutor } from './literal.js';
export { type ModuleCost, moduleCostOf } from './module-cost.js';
export { type HeadAverage, moveAverages } from './moving-averages.js';
export { networkForImages } from './network-for-images.js';
export { partOf } from './part.js';
export { createPartStep, type PartMoment, type PartStep, type PartStepOptions } from './part-step.js';
export type { ActiveHead, ActiveObjective, CompiledPhase } from './phases.js';
export { type PeakPrediction, type PredictionOptions, trainedUpTo } from './prediction.js';
export { compileSchedule, type Instruction, type MemoryPolicy, type ScheduleOptions } from './schedule.js';
export type { SharedWeight, SharedWeights } from './shared-weights.js';
export type { Batch, Executor, StepMemory, StepOptions, StepResult } from './step.js';
export { type HeadLoad, predictBytes, type StepBytes, type StepLoad } from './step-bytes.js';
export {
  createTrainStep,
  learningRateOf,
  type TrainStep,
  type TrainStepOptions,
  type TrainStepResult,
} from './train-step.js';
export { type UntrainedParts, untrainedParts } from './untrained.js';
export { type HeadInputs, type ScheduleDomain, walkSchedule } from './walk.js';
export { describeRules, type RuleDescription } from './weight-rules.js';
export { phaseWork, unitsOf } from './work.js';
