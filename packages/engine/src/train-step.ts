import {
  type Clock,
  LocalgradError,
  type NoiseKey,
  type Optimizer,
  type ParameterGradient,
  requireOption,
  type Schedule,
} from '@localgrad/core';
import * as tf from '@tensorflow/tfjs';
import { accumulateResults, GradientBuffer, splitBatch } from './accumulation.js';
import type { CompiledPlan } from './compile.js';
import { createExecutor } from './executor.js';
import { moveAverages } from './moving-averages.js';
import type { PeakPrediction } from './prediction.js';
import type { Batch, Executor, StepResult } from './step.js';

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
}

/** Losses and settings of one training step. */
export interface TrainStepResult extends StepResult {
  /** Learning rate of this step. */
  readonly learningRate: number;
  /** Name of the phase. */
  readonly phase: string;
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
}

/**
 * Creates a training step: losses, gradients, optimizer update, moving averages and hooks. @throws LocalgradError
 * `invalid-option`
 */
export function createTrainStep(options: TrainStepOptions): TrainStep {
  const { compiled, optimizer, accumulate = 1, seed = 0 } = options;
  requireOption(
    Number.isInteger(accumulate) && accumulate >= 1,
    'train step',
    'accumulate',
    accumulate,
    'integers ≥ 1',
  );
  const rateAt = learningRateOf(options);
  const executor = (options.executor ?? createExecutor)(compiled);
  return {
    run(batch, clock) {
      const learningRate = rateAt(clock);
      const parts = splitBatch(batch, accumulate);
      const buffer = new GradientBuffer();
      const { name: phase } = compiled.phaseAt(clock);
      try {
        const samples = parts.reduce((sum, part) => sum + part.samples, 0);
        const results = parts.map((part, index) => {
          const isLast = index === parts.length - 1;
          const scale = part.samples / samples;
          const update = (gradients: readonly ParameterGradient[]) =>
            optimizer.update(gradients, { learningRate, clock });
          const onGradients = (gradients: readonly ParameterGradient[]) => {
            // Gradients accumulate until the last micro-batch, in which each group is complete when it arrives.
            if (isLast && optimizer.needsWholeStep !== true) update(buffer.take(gradients));
            else buffer.add(gradients);
          };
          const noise: NoiseKey = { seed, step: clock.step, part: index };
          const how = { clock, noise, scale, movesAverages: isLast, onGradients };
          const result = part.with((micro) => executor.step(micro, how));
          if (isLast && optimizer.needsWholeStep === true) update(buffer.takeAll());
          return { result, scale };
        });
        afterUpdate(compiled, clock, phase);
        return { ...accumulateResults(results), learningRate, phase };
      } finally {
        buffer.dispose();
      }
    },
    predict: (batchSize) => compiled.predict(batchSize, { optimizer, accumulate }),
  };
}

/** Updates the averages of the evaluated heads, and runs the plan's hooks. */
function afterUpdate(compiled: CompiledPlan, clock: Clock, phaseName: string): void {
  const phase = compiled.phases.find(({ name }) => name === phaseName);
  const active = new Set([...(phase?.heads.values() ?? [])].flat().map(({ key }) => key));
  moveAverages(compiled.averages.filter(({ head, when }) => when === 'afterUpdate' && active.has(head)));
  const { parameters, state } = compiled;
  for (const hook of compiled.plan.hooks) tf.tidy(() => hook.afterStep({ clock, parameters, state }));
}

function learningRateOf({ learningRate, optimizer }: TrainStepOptions): (clock: Clock) => number {
  if (typeof learningRate === 'object') return (clock) => learningRate.rate(clock);
  const rate = learningRate ?? optimizer.config.learningRate;
  if (typeof rate === 'number') return () => rate;
  throw new LocalgradError(
    'invalid-option',
    "train step: no learning rate; pass option 'learningRate', or an optimizer whose config contains one.",
  );
}
