import type { RecordingStatus } from '@localgrad/kernels';
import type { EvaluationResult } from './evaluation.js';
import type { EvaluationRecord, EvaluationSet } from './evaluation-records.js';
import type { RunTotals } from './run-totals.js';

/** Losses by objective ID: unweighted means over the steps since the previous read. */
export type Losses = Readonly<Record<string, number>>;

/** Emitted before the first step. */
export interface RunStartEvent {
  /** Discriminates the events. */
  readonly type: 'run-start';
  /** The method as an expression. */
  readonly method: string;
  /** Name of the backbone. */
  readonly backbone: string;
  /** Number of modules. */
  readonly modules: number;
  /** ID of the objective of the network's own classifier. */
  readonly classifier?: string;
  /** Name of the TensorFlow.js backend. */
  readonly backend: string;
  /** Total number of epochs. */
  readonly epochs: number;
  /** Optimizer steps per epoch. */
  readonly stepsPerEpoch: number;
  /** Samples per full batch. */
  readonly batchSize: number;
  /** Number of weights, including auxiliary networks. */
  readonly parameters: number;
  /** Predicted peak memory of a step, in bytes. */
  readonly predictedPeakBytes: number;
  /** Number of completed steps when resuming. */
  readonly resumedAtStep?: number;
}

/** Emitted before the first step of an epoch. */
export interface EpochStartEvent {
  /** Discriminates the events. */
  readonly type: 'epoch-start';
  /** From 1, as in all events. */
  readonly epoch: number;
  /** Total number of epochs. */
  readonly epochs: number;
}

/** Emitted after the optimizer and the plan's hooks. */
export interface StepEndEvent {
  /** Discriminates the events. */
  readonly type: 'step-end';
  /** Number of completed steps since the start of the run. */
  readonly step: number;
  /** Total number of steps in the run. */
  readonly steps: number;
  /** Epoch of the step, from 1. */
  readonly epoch: number;
  /** Learning rate of the step. */
  readonly learningRate: number;
  /** Present once per logging interval. */
  readonly losses?: Losses;
  /** Parts of losses by `objective/term`, if heads report any; present together with `losses`. */
  readonly terms?: Losses;
}

/** Emitted after an evaluation of the validation or the test batches. */
export interface EvaluationEndEvent extends EvaluationResult {
  /** Discriminates the events. */
  readonly type: 'evaluation-end';
  /** The images on which the network was evaluated. */
  readonly set: EvaluationSet;
  /** Epoch after which the network was evaluated, from 1. */
  readonly epoch: number;
  /** Seconds of the evaluation. */
  readonly seconds: number;
}

export interface EpochEndEvent extends EpochRecord {
  /** Discriminates the events. */
  readonly type: 'epoch-end';
  /** Total number of epochs. */
  readonly epochs: number;
}

/** The last event of every run, including failed ones. */
export interface RunEndEvent extends RunTotals {
  /** Discriminates the events. */
  readonly type: 'run-end';
  /** `aborted`: stopped by the signal. `failed`: ended by an error. */
  readonly status: 'completed' | 'aborted' | 'failed';
  /** Reason why the run ended, unless it completed. */
  readonly reason?: string;
}

/**
 * How steps run on a backend that records them: emitted when they become recorded, or turn out not to be recordable.
 * Results are the same bits.
 */
export type RecordingEvent = Exclude<RecordingStatus, { readonly mode: 'tracing' }> & {
  /** Discriminates the events. */
  readonly type: 'recording';
  /** The first step that runs so, from 1. */
  readonly step: number;
};

/** The events of a run, in the order of the loop described in README.md. */
export type TrainingEvent =
  | RunStartEvent
  | RecordingEvent
  | EpochStartEvent
  | StepEndEvent
  | EvaluationEndEvent
  | EpochEndEvent
  | RunEndEvent;

/** Summary of a completed epoch. */
export interface EpochRecord extends EvaluationRecord {
  /** Epoch, from 1. */
  readonly epoch: number;
  /** Means over the epoch's steps, by objective. */
  readonly losses: Losses;
  /** Learning rate of the epoch's last step. */
  readonly learningRate: number;
  /** Seconds of training steps, without evaluation. */
  readonly seconds: number;
  /** Training images per second, without evaluation. */
  readonly imagesPerSecond: number;
  /** Peak bytes of live tensors during the epoch's steps. */
  readonly peakBytes: number;
  /**
   * Multiply-accumulates of a step for one image, modules and heads, forward and backward: mean over the epoch's steps, which
   * differ where training has phases or modules have paces. Missing for epochs that earlier versions trained.
   */
  readonly multiplyAccumulatesPerImage?: number;
}

/**
 * Observes a run. Observers receive frozen events without tensors, so they cannot change training. An error thrown by
 * an observer stops the run, so that e.g. an unwritable metrics file is noticed immediately.
 */
export interface Observer {
  /** Called with each event, in order. */
  observe(event: TrainingEvent): void;
}

/** Freezes an event and everything in it. */
export function freeze(value: object): void {
  for (const nested of Object.values(value)) if (typeof nested === 'object' && nested !== null) freeze(nested);
  Object.freeze(value);
}
