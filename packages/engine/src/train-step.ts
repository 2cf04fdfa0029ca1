import {
  type Clock,
  callOwn,
  LocalgradError,
  type Optimizer,
  type ParameterGradient,
  rejectUnknownKeys,
  requireOption,
  type Schedule,
  shown,
  startOfTraining,
} from '@localgrad/core';
import type { RecordingStatus, StepRecorder } from '@localgrad/kernels';
import { type BatchPart, listOf, runParts, splitBatch } from './accumulation.js';
import type { CompiledPlan } from './compile.js';
import { createDelayedTrainStep } from './delayed-train-step.js';
import { recordHistories } from './delayed-weights.js';
import { moveAveragesAfterUpdate, requireState, runHooks, updateWeights } from './end-step.js';
import { createExecutor } from './executor.js';
import type { PeakPrediction } from './prediction.js';
import { RecordedSteps, type StepBatches, type StepNow, watchedClock, watchedNoise } from './recorded-steps.js';
import type { Batch, Executor, StepMemory, StepResult } from './step.js';
import { phaseWork } from './work.js';

/** Options of `createTrainStep`. */
export interface TrainStepOptions {
  /** The plan to train, from `compilePlan`. */
  readonly compiled: CompiledPlan;
  /** Turns the gradients into updates. */
  readonly optimizer: Optimizer;
  /** Default: `createExecutor`. */
  readonly executor?: (compiled: CompiledPlan) => Executor;
  /** A constant learning rate, or a schedule. Default: `learningRate` of the optimizer's config. */
  readonly learningRate?: number | Schedule;
  /**
   * Micro-batches per step (gradient accumulation): gradients are averaged over them before the update. Reduces memory
   * for the same batch size; batch normalization then uses the statistics of each micro-batch. Default 1.
   */
  readonly accumulate?: number;
  /** Seed for the random numbers of blocks and heads. Default 0. */
  readonly seed?: number;
  /**
   * Replay recorded steps where the backend can record them (webgpu): the same numbers with a fraction of the work on the
   * host. Steps that cannot be recorded run ordinarily; see `recording`. Default true.
   */
  readonly recordSteps?: boolean;
}

const optionNames = [
  'compiled',
  'optimizer',
  'executor',
  'learningRate',
  'accumulate',
  'seed',
  'recordSteps',
] as const satisfies readonly (keyof TrainStepOptions)[];

/** Losses and settings of one training step. */
export interface TrainStepResult extends StepResult {
  /** Learning rate of this step. */
  readonly learningRate: number;
  /** Name of the phase. */
  readonly phase: string;
  /** Multiply-accumulates for one image: modules and heads, forward and backward. */
  readonly multiplyAccumulatesPerImage: number;
}

/** A training step of a compiled plan. */
export interface TrainStep {
  /**
   * Runs one training step: forward pass, losses, gradients, update, moving averages, hooks.
   *
   * @param batch borrowed; split into micro-batches, unless they are given as a list
   */
  run(batch: Batch | readonly Batch[], clock: Clock): TrainStepResult;
  /** Predicted peak memory of a step, over all phases, with this optimizer and accumulation. */
  predict(batchSize: number): PeakPrediction;
  /** How the last step ran, on backends that record steps; else undefined. */
  readonly recording: RecordingStatus | undefined;
  /** What the step keeps between steps besides weights and optimizer state. Default: nothing. Stored in checkpoints. */
  readonly memory?: StepMemory;
  /** Releases recordings and memory. A step can be run again. */
  dispose(): void;
}

/**
 * Creates a training step: losses, gradients, optimizer update, moving averages and hooks. @throws LocalgradError
 * `invalid-option`, `unknown-name`
 */
export function createTrainStep(options: TrainStepOptions): TrainStep {
  rejectUnknownKeys('createTrainStep', options, optionNames);
  const { compiled, optimizer, accumulate = 1, seed = 0, recordSteps = true } = options;
  requireOption(
    Number.isInteger(accumulate) && accumulate >= 1,
    'train step',
    'accumulate',
    accumulate,
    'integers ≥ 1',
  );
  requireState(optimizer);
  const rateAt = learningRateOf(options);
  if (compiled.gradientDelay !== undefined) return createDelayedTrainStep(options, rateAt);
  const executor = (options.executor ?? createExecutor)(compiled);
  const now: StepNow = { clock: startOfTraining, learningRate: 0 };
  const run = ({ parts }: SplitBatch, recorder: StepRecorder | undefined): StepResult => {
    const update = (gradients: readonly ParameterGradient[]) => {
      const apply = () => updateWeights(optimizer, gradients, { ...now });
      if (recorder === undefined) apply();
      else recorder.repeat(apply);
    };
    const result = runParts(parts, {
      executor,
      update,
      needsWholeStep: optimizer.needsWholeStep === true,
      momentOf: (part) => momentOf(now, seed, part, recorder),
    });
    moveAveragesAfterUpdate(compiled, now.clock);
    recordHistories(compiled.histories);
    return result;
  };
  const optimizerState = () => optimizer.state().values();
  const recorded = recordSteps ? new RecordedSteps({ compiled, optimizerState, now, run }) : undefined;
  return {
    run(batch, clock) {
      const learningRate = rateAt(clock);
      Object.assign(now, { clock, learningRate });
      const split = { parts: splitBatch(batch, accumulate), batches: listOf(batch) };
      const phase = compiled.phaseAt(clock);
      const result = recorded === undefined ? run(split, undefined) : recorded.run(split);
      runHooks(compiled, clock);
      return { ...result, learningRate, phase: phase.name, multiplyAccumulatesPerImage: phaseWork(compiled, phase) };
    },
    get recording() {
      return recorded?.status;
    },
    predict: (batchSize) => compiled.predict(batchSize, { optimizer, accumulate }),
    dispose: () => recorded?.dispose(),
  };
}

interface SplitBatch extends StepBatches {
  readonly parts: readonly BatchPart[];
}

/** Clock and key of the random numbers of a step. */
function momentOf(now: StepNow, seed: number, part: number, recorder: StepRecorder | undefined) {
  const { clock } = now;
  if (recorder === undefined) return { clock, noise: { seed, step: clock.step, part } };
  return { clock, headClock: watchedClock(now, recorder), noise: watchedNoise(now, seed, part, recorder) };
}

/** The learning rate by the clock. @throws LocalgradError `invalid-option` where there is none, also for values of a schedule */
export function learningRateOf({
  learningRate,
  optimizer,
}: Pick<TrainStepOptions, 'learningRate' | 'optimizer'>): (clock: Clock) => number {
  const given = learningRate ?? optimizer.config.learningRate;
  if (typeof given === 'number') {
    requireOption(isRate(given), 'train step', 'learningRate', given, 'finite numbers ≥ 0');
    return () => given;
  }
  if (learningRate !== undefined) return (clock) => scheduledRate(learningRate, clock);
  throw new LocalgradError(
    'invalid-option',
    "train step: no learning rate; pass option 'learningRate', or an optimizer whose config contains one.",
  );
}

function isRate(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0;
}

function scheduledRate(schedule: Schedule | number, clock: Clock): number {
  const where = 'train step: the learning rate';
  if (typeof schedule !== 'object' || typeof schedule.rate !== 'function') {
    const cure = 'pass a number, or a schedule: an object with the method rate(clock)';
    throw new LocalgradError('invalid-option', `${where} is neither a number nor a schedule; ${cure}.`);
  }
  const rate: unknown = callOwn(`Method 'rate' of schedule ${shown(schedule.config)}`, () => schedule.rate(clock));
  if (isRate(rate)) return rate;
  throw new LocalgradError(
    'invalid-option',
    `${where} of schedule ${shown(schedule.config)} is ${shown(rate)} at step ${clock.step} of ${clock.steps}; rate must return finite numbers ≥ 0.`,
    { schedule: schedule.config, rate, step: clock.step },
  );
}
