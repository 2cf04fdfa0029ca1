import type { Span } from '@localgrad/core';

/** A worker has trained its modules on one batch. */
export interface WorkerTurn {
  /** Index of the worker. */
  readonly worker: number;
  /** Its first and last module. */
  readonly modules: Span;
  /** The step that the first module had begun last, from 0: determines schedules and random numbers. */
  readonly step: number;
  /** Number of times that the worker had trained before in the same step. */
  readonly repetition: number;
  /** The step whose data the batch was: `step` − `batch` is its age. */
  readonly batch: number;
  /** Which output of the previous worker it trained on, counted from 0; absent on the first worker, which trains on data. */
  readonly output?: number;
  /** Whether it has trained on the data of that step before. */
  readonly isRepeated: boolean;
  /** Losses by objective, and their terms, in the order of evaluation. */
  readonly losses: readonly (readonly [id: string, value: number])[];
  readonly terms: readonly (readonly [id: string, value: number])[];
  /** Multiply-accumulates for one image. */
  readonly multiplyAccumulatesPerImage: number;
  /** Peak bytes of live tensors during the turn. */
  readonly peakBytes: number;
}
