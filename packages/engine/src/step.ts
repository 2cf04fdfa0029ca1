import type { Clock, NoiseKey, ParameterGradient, Targets } from '@localgrad/core';
import type * as tf from '@tensorflow/tfjs';

export interface Batch {
  /** Normalized, shape [batch, ...imageShape]. Borrowed. */
  readonly images: tf.Tensor4D;
  /** Borrowed. */
  readonly targets: Targets;
}

export interface StepOptions {
  /** Decides the phase and scheduled weights. Default: the start of training. */
  readonly clock?: Clock;
  /** Key of the step's random numbers. Absent: blocks and heads that need noise act without. */
  readonly noise?: NoiseKey;
  /** Factor on all gradients: the fraction of the batch that a micro-batch has. Default 1. */
  readonly scale?: number;
  /** Whether `beforeUpdate` averages move; false for all micro-batches but the last. Default true. */
  readonly movesAverages?: boolean;
  /**
   * Takes the gradients of one head or module, and owns them, as soon as they are complete: nothing in the step reads
   * these weights again, so that an optimizer may update them at once and no gradient waits in memory.
   */
  onGradients(gradients: readonly ParameterGradient[]): void;
}

export interface StepResult {
  /** Unweighted loss of each active objective, by id. Owned by the caller. */
  readonly losses: ReadonlyMap<string, tf.Scalar>;
  /** Parts of losses, by `objective/term`. Owned by the caller. */
  readonly terms: ReadonlyMap<string, tf.Scalar>;
}

export interface Executor {
  /** One forward, all losses, all gradients. Disposes everything that it creates but the losses. */
  step(batch: Batch, options: StepOptions): StepResult;
}
