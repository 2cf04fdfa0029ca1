import { type Clock, type Optimizer, rejectUnknownKeys, requireOption } from '@localgrad/core';
import { type BatchPart, runParts, splitBatch } from './accumulation.js';
import type { CompiledPlan } from './compile.js';
import { DelayedStep } from './delayed-step.js';
import { updateWeights } from './end-step.js';
import { createExecutor } from './executor.js';
import { type ExecutorOptions, executorOptionNames } from './executor-options.js';
import type { Batch, StepMemory, StepResult } from './step.js';

/** Options of `createPartStep`. */
export interface PartStepOptions extends ExecutorOptions {
  /** The part of a plan, from `partOf`. */
  readonly compiled: CompiledPlan;
  /** Turns the gradients into updates. */
  readonly optimizer: Optimizer;
  /** Micro-batches per step; see `createTrainStep`. Default 1. */
  readonly accumulate?: number;
  /** Seed for the random numbers of blocks and heads. Default 0. */
  readonly seed?: number;
}

const optionNames = [
  ...executorOptionNames,
  'compiled',
  'optimizer',
  'accumulate',
  'seed',
] as const satisfies readonly (keyof PartStepOptions)[];

/** Position of a step of a part. */
export interface PartMoment {
  /** Determines the phase and scheduled weights. */
  readonly clock: Clock;
  /** Learning rate of the update. */
  readonly learningRate: number;
  /**
   * Number of times that the part has been trained before in the same step: selects other random numbers. Default 0, with
   * which they are those of a step of the whole plan.
   */
  readonly repetition?: number;
}

/** A training step of some adjacent modules. */
export interface PartStep {
  /**
   * Runs forward pass, losses, gradients and update of the part's modules. Averages after the update, and hooks, belong
   * to the whole step: see `endStep`.
   *
   * @param batch its images are the input of the part's first module; borrowed. Micro-batches can be created when they are used
   */
  run(batch: Batch | readonly (Batch | BatchPart)[], moment: PartMoment): StepResult;
  /** What is kept between steps where gradients are delayed. Default: nothing. */
  readonly memory?: StepMemory;
  /** Receives the gradients that other parts sent up to the last step, so that `memory` contains them. */
  settle?(): void;
  /** Releases the memory. */
  dispose?(): void;
}

/** Creates a training step of some adjacent modules, for executors that run modules at different times. */
export function createPartStep(options: PartStepOptions): PartStep {
  rejectUnknownKeys('createPartStep', options, optionNames);
  const { compiled, optimizer, accumulate = 1, seed = 0, ...links } = options;
  const isCount = Number.isInteger(accumulate) && accumulate >= 1;
  requireOption(isCount, 'train step', 'accumulate', accumulate, 'integers ≥ 1');
  if (compiled.gradientDelay !== undefined) return new DelayedStep(options, compiled.gradientDelay);
  const executor = createExecutor(compiled, links);
  return {
    run(batch, { clock, learningRate, repetition = 0 }) {
      const parts = splitBatch(batch, accumulate);
      const first = repetition * Math.max(accumulate, parts.length);
      return runParts(parts, {
        executor,
        update: (gradients) => updateWeights(optimizer, gradients, { clock, learningRate }),
        needsWholeStep: optimizer.needsWholeStep === true,
        momentOf: (part) => ({ clock, noise: { seed, step: clock.step, part: first + part } }),
      });
    },
  };
}
