import { type Clock, type Optimizer, type Pass, requireOption, type Span } from '@localgrad/core';
import * as tf from '@tensorflow/tfjs';
import { runParts, splitBatch } from './accumulation.js';
import { checkBatch } from './check-step.js';
import type { CompiledPlan } from './compile.js';
import { type StepSetting, TensorDomain } from './executor.js';
import type { Batch, Executor, StepResult } from './step.js';
import { moveAveragesAfterUpdate, runHooks } from './train-step.js';
import { walkSchedule } from './walk.js';

/** Options of `createPartStep`. */
export interface PartStepOptions {
  /** The plan whose modules are trained. */
  readonly compiled: CompiledPlan;
  /** Turns the gradients into updates. */
  readonly optimizer: Optimizer;
  /** First and last module of the part. No loss may send a gradient across its ends. */
  readonly modules: Span;
  /** Micro-batches per step; see `createTrainStep`. Default 1. */
  readonly accumulate?: number;
  /** Seed for the random numbers of blocks and heads. Default 0. */
  readonly seed?: number;
  /**
   * Receives the output of the last module for each micro-batch, with ownership, and the micro-batch that it was computed
   * from, which is borrowed. Default: outputs are not kept.
   */
  onOutput?(output: tf.Tensor4D, micro: Batch): void;
}

/** Position of a step of a part. */
export interface PartMoment {
  /** Determines the phase and scheduled weights. */
  readonly clock: Clock;
  /** Learning rate of the update. */
  readonly learningRate: number;
  /** Number of steps that the part has completed, which selects its random numbers. */
  readonly step: number;
}

/** A training step of some adjacent modules. */
export interface PartStep {
  /**
   * Runs forward pass, losses, gradients and update of the part's modules. Averages after the update, and hooks, belong
   * to the whole step: see `endStep`.
   *
   * @param batch its images are the input of the part's first module; borrowed
   */
  run(batch: Batch | readonly Batch[], moment: PartMoment): StepResult;
}

/** Creates a training step of some adjacent modules, for executors that run modules at different times. */
export function createPartStep(options: PartStepOptions): PartStep {
  const { optimizer, accumulate = 1, seed = 0 } = options;
  const isCount = Number.isInteger(accumulate) && accumulate >= 1;
  requireOption(isCount, 'train step', 'accumulate', accumulate, 'integers ≥ 1');
  const executor = partExecutor(options);
  return {
    run: (batch, { clock, learningRate, step }) =>
      runParts(splitBatch(batch, accumulate), {
        executor,
        update: (gradients) => optimizer.update(gradients, { clock, learningRate }),
        needsWholeStep: optimizer.needsWholeStep === true,
        momentOf: (part) => ({ clock, noise: { seed, step, part } }),
      }),
  };
}

/**
 * Ends a step whose modules ran as parts: moves the averages that follow updated weights, and runs the plan's hooks.
 *
 * @param isTrained whether a module was trained in the step
 */
export function endStep(compiled: CompiledPlan, clock: Clock, isTrained: (module: number) => boolean): void {
  moveAveragesAfterUpdate(compiled, clock, isTrained);
  runHooks(compiled, clock);
}

function partExecutor({ compiled, modules: [first, last], onOutput }: PartStepOptions): Executor {
  const checked = new Set<string>();
  return {
    step(batch, options) {
      const { clock } = options;
      const phase = clock === undefined ? compiled.phases[0] : compiled.phaseAt(clock);
      if (first === 0) checkBatch(compiled, phase, batch);
      const losses = new Map<string, tf.Scalar>();
      const terms = new Map<string, tf.Scalar>();
      const keepsOutput = onOutput !== undefined;
      const schedule = phase.schedule.filter(
        ({ op, module }) => first <= module && module <= last && !(keepsOutput && op === 'free' && module === last),
      );
      const domain = new PartDomain({ compiled, phase, batch, options, losses, terms, checked, first }, last);
      tf.tidy(() => {
        walkSchedule(schedule, domain);
        if (keepsOutput && domain.output !== undefined) onOutput(tf.keep(domain.output), batch);
      });
      return { losses, terms };
    },
  };
}

/** Notes the output of the last module. */
class PartDomain extends TensorDomain {
  output: tf.Tensor4D | undefined;

  constructor(
    setting: StepSetting,
    readonly last: number,
  ) {
    super(setting);
  }

  override forward(module: number, input: tf.Tensor4D, repeat: boolean): { output: tf.Tensor4D; pass: Pass } {
    const result = super.forward(module, input, repeat);
    if (module === this.last && !repeat) this.output = result.output;
    return result;
  }

  override passThrough(module: number, input: tf.Tensor4D): tf.Tensor4D {
    const output = super.passThrough(module, input);
    if (module === this.last) this.output = output;
    return output;
  }
}
