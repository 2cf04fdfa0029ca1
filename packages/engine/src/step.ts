import type { Clock, JsonValue, NoiseKey, ParameterGradient, Targets } from '@localgrad/core';
import type * as tf from '@tensorflow/tfjs';

/** Images and targets of one step. */
export interface Batch {
  /** Normalized, shape [batch, ...imageShape]. Borrowed. */
  readonly images: tf.Tensor4D;
  /** Borrowed. */
  readonly targets: Targets;
}

/** Options of one execution of the schedule. */
export interface StepOptions {
  /** Determines the phase and scheduled weights. Default: the start of training. */
  readonly clock?: Clock;
  /** The clock that heads receive. Default: `clock`. */
  readonly headClock?: Clock;
  /** Key of the step's random numbers. If absent, blocks and heads run without noise. */
  readonly noise?: NoiseKey;
  /** Factor on all gradients: the micro-batch's fraction of the batch. Default 1. */
  readonly scale?: number;
  /** Whether to update `beforeUpdate` averages; false for all micro-batches but the last. Default true. */
  readonly movesAverages?: boolean;
  /** Whether forward passes update running statistics; false where they repeat those of an earlier step. Default true. */
  readonly updatesStatistics?: boolean;
  /**
   * Receives the gradients of one head or module, with ownership, as soon as they are complete. The step does not read
   * these weights again, so the optimizer can update them immediately and no gradient has to be stored.
   */
  onGradients(gradients: readonly ParameterGradient[]): void;
}

/** Losses of one step. */
export interface StepResult {
  /** Unweighted loss of each active objective, by id. Owned by the caller. */
  readonly losses: ReadonlyMap<string, tf.Scalar>;
  /** Parts of losses, by `objective/term`. Owned by the caller. */
  readonly terms: ReadonlyMap<string, tf.Scalar>;
}

/** Runs the schedule of a compiled plan. */
export interface Executor {
  /** Computes one forward pass, all losses and all gradients. Disposes all intermediate tensors. */
  step(batch: Batch, options: StepOptions): StepResult;
}

/** State of a train step. */
export interface StepMemory {
  /** JSON values. */
  values(): JsonValue;
  /** Tensors by name; borrowed, valid until the next step. */
  tensors(): ReadonlyMap<string, tf.Tensor>;
  /** Replaces the state. Takes ownership of the tensors. @throws LocalgradError `invalid-data` */
  load(values: JsonValue, tensors: ReadonlyMap<string, tf.Tensor>): void;
}
