import type { EvaluationResult } from './evaluation.js';

/** Losses by objective id: unweighted means over the steps since they were last read. */
export type Losses = Readonly<Record<string, number>>;

/** Before the first step. */
export interface RunStartEvent {
  readonly type: 'run-start';
  readonly method: string;
  readonly backbone: string;
  readonly modules: number;
  /** Id of the objective whose loss is that of the network's own classifier. */
  readonly classifier?: string;
  readonly backend: string;
  readonly epochs: number;
  readonly stepsPerEpoch: number;
  readonly batchSize: number;
  /** Weights of the backbone and of the auxiliary networks. */
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

/** After the optimizer and the plan's hooks. */
export interface StepEndEvent {
  readonly type: 'step-end';
  /** Steps done since the start of the run. */
  readonly step: number;
  readonly steps: number;
  readonly epoch: number;
  readonly learningRate: number;
  /** Present once per logging interval. */
  readonly losses?: Losses;
  /** Parts of losses by `objective/term`, beside `losses`, where heads report them. */
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

/** The last event of every run, also of one that fails. */
export interface RunEndEvent {
  readonly type: 'run-end';
  readonly status: 'completed' | 'aborted' | 'failed';
  /** Message of what ended the run, unless it completed. */
  readonly reason?: string;
  readonly steps: number;
  readonly testAccuracy: number | null;
  readonly bestTestAccuracy: number | null;
  readonly testMetrics?: Readonly<Record<string, number>>;
  /** Present where the last evaluation was not finite. */
  readonly diverged?: true;
  readonly seconds: number;
  readonly totalSeconds: number;
  readonly peakBytes: number;
  readonly resumptions: number;
}

export type TrainingEvent =
  | RunStartEvent
  | EpochStartEvent
  | StepEndEvent
  | EvaluationEndEvent
  | EpochEndEvent
  | RunEndEvent;

/** Summary of an epoch that has ended. */
export interface EpochRecord {
  readonly epoch: number;
  /** Means over the epoch's steps, by objective. */
  readonly losses: Losses;
  /** Rate of the epoch's last step. */
  readonly learningRate: number;
  /** Training steps alone. */
  readonly seconds: number;
  readonly imagesPerSecond: number;
  /** Highest bytes of live tensors during the epoch's steps. */
  readonly peakBytes: number;
  readonly testAccuracy?: number;
  readonly testLoss?: number;
  /** All metrics of the evaluation by name. */
  readonly testMetrics?: Readonly<Record<string, number>>;
  /** Present where a metric of the evaluation is not finite. */
  readonly diverged?: true;
}

/**
 * Watches a run. Observers receive frozen events without tensors, and so cannot change training. An error that one throws
 * ends the run: a metrics file that cannot be written must not be discovered at the end.
 */
export interface Observer {
  observe(event: TrainingEvent): void;
}
