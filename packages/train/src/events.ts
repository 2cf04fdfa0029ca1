import type { RecordingStatus } from '@localgrad/kernels';
import type { EvaluationResult } from './evaluation.js';

/** Losses by objective ID: unweighted means over the steps since the previous read. */
export type Losses = Readonly<Record<string, number>>;

/** Emitted before the first step. */
export interface RunStartEvent {
  readonly type: 'run-start';
  readonly method: string;
  readonly backbone: string;
  readonly modules: number;
  /** ID of the objective of the network's own classifier. */
  readonly classifier?: string;
  readonly backend: string;
  readonly epochs: number;
  readonly stepsPerEpoch: number;
  readonly batchSize: number;
  /** Number of weights, including auxiliary networks. */
  readonly parameters: number;
  readonly predictedPeakBytes: number;
  /** Number of completed steps when resuming. */
  readonly resumedAtStep?: number;
}

export interface EpochStartEvent {
  readonly type: 'epoch-start';
  /** From 1, as in all events. */
  readonly epoch: number;
  readonly epochs: number;
}

/** Emitted after the optimizer and the plan's hooks. */
export interface StepEndEvent {
  readonly type: 'step-end';
  /** Number of completed steps since the start of the run. */
  readonly step: number;
  readonly steps: number;
  readonly epoch: number;
  readonly learningRate: number;
  /** Present once per logging interval. */
  readonly losses?: Losses;
  /** Parts of losses by `objective/term`, if heads report any; present together with `losses`. */
  readonly terms?: Losses;
}

export interface EvaluationEndEvent extends EvaluationResult {
  readonly type: 'evaluation-end';
  readonly epoch: number;
  readonly seconds: number;
}

export interface EpochEndEvent extends EpochRecord {
  readonly type: 'epoch-end';
  readonly epochs: number;
}

/** The last event of every run, including failed ones. */
export interface RunEndEvent {
  readonly type: 'run-end';
  readonly status: 'completed' | 'aborted' | 'failed';
  /** Reason why the run ended, unless it completed. */
  readonly reason?: string;
  readonly steps: number;
  readonly testAccuracy: number | null;
  readonly bestTestAccuracy: number | null;
  readonly testMetrics?: Readonly<Record<string, number>>;
  /** Present if a metric of the last evaluation is not finite. */
  readonly diverged?: true;
  readonly seconds: number;
  readonly totalSeconds: number;
  readonly peakBytes: number;
  readonly resumptions: number;
}

/**
 * How steps run on a backend that records them: emitted when they become recorded, or turn out not to be recordable.
 * Results are the same bits.
 */
export type RecordingEvent = Exclude<RecordingStatus, { readonly mode: 'tracing' }> & {
  readonly type: 'recording';
  /** The first step that runs so, from 1. */
  readonly step: number;
};

export type TrainingEvent =
  | RunStartEvent
  | RecordingEvent
  | EpochStartEvent
  | StepEndEvent
  | EvaluationEndEvent
  | EpochEndEvent
  | RunEndEvent;

/** Summary of a completed epoch. */
export interface EpochRecord {
  readonly epoch: number;
  /** Means over the epoch's steps, by objective. */
  readonly losses: Losses;
  /** Learning rate of the epoch's last step. */
  readonly learningRate: number;
  /** Seconds of training steps, without evaluation. */
  readonly seconds: number;
  readonly imagesPerSecond: number;
  /** Peak bytes of live tensors during the epoch's steps. */
  readonly peakBytes: number;
  readonly testAccuracy?: number;
  readonly testLoss?: number;
  /** All metrics of the evaluation by name. */
  readonly testMetrics?: Readonly<Record<string, number>>;
  /** Present if a metric of the evaluation is not finite. */
  readonly diverged?: true;
}

/**
 * Observes a run. Observers receive frozen events without tensors, so they cannot change training. An error thrown by
 * an observer stops the run, so that e.g. an unwritable metrics file is noticed immediately.
 */
export interface Observer {
  observe(event: TrainingEvent): void;
}
