import type * as tf from '@tensorflow/tfjs';
import type { Batch } from './step.js';

/** Options of `createExecutor`. */
export interface ExecutorOptions {
  /**
   * Receives what the modules after a part of a plan read: the output of its last module, and the targets of the
   * micro-batch. Called once per micro-batch, before the part's own losses; not in phases that end within the part.
   * Borrowed.
   */
  readonly onOutput?: (batch: Batch) => void;
  /** Called before a head is evaluated, with its key. */
  readonly onHead?: (key: string) => void;
  /** Where gradients cross the ends of a part of a plan. Default: none may. */
  readonly crossings?: GradientCrossings;
}

export const executorOptionNames = [
  'onOutput',
  'onHead',
  'crossings',
] as const satisfies readonly (keyof ExecutorOptions)[];

/** Connects a part of a plan with the parts before and after it. */
export interface GradientCrossings {
  /** Receives the cotangent of a part's input. Borrowed. */
  send(cotangent: tf.Tensor4D): void;
  /**
   * The next cotangent of the part's output, in the order in which the part after it sent them. Owned by the caller.
   *
   * @param samples number of its samples
   */
  receive(samples: number): tf.Tensor4D;
}
