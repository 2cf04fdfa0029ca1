import type { Clock, Optimizer } from '@localgrad/core';
import type { Batch, CompiledPlan, PeakPrediction, StepMemory } from '@localgrad/engine';
import type { StoredTensor } from '@localgrad/nn/serialization';

/** What a pipeline needs at the start of a run. */
export interface PipelineStart {
  /** The plan to train. */
  readonly compiled: CompiledPlan;
  /** The optimizer of the run; the workers build their own. */
  readonly optimizer: Optimizer;
  /** Samples per full batch. */
  readonly batchSize: number;
  /** Micro-batches per step. */
  readonly accumulate: number;
  /** Seed for the random numbers of blocks and heads. */
  readonly seed: number;
  /** Weights, optimizer state and what steps keep between steps, by the names of a checkpoint. */
  readonly tensors: ReadonlyMap<string, StoredTensor>;
}

/** Result of a step that ran in a pipeline. */
export interface PipelineStep {
  /** Unweighted loss of each active objective, by id. */
  readonly losses: ReadonlyMap<string, number>;
  /** Parts of losses, by `objective/term`. */
  readonly terms: ReadonlyMap<string, number>;
  /** Peak bytes of live tensors during the step, on the worker with the highest. */
  readonly peakBytes: number;
  /** Multiply-accumulates for one image. Default: those of a step of the whole plan. */
  readonly multiplyAccumulatesPerImage?: number;
  /** How each worker spent the step, if the pipeline measures it. */
  readonly workers?: readonly WorkerStep[];
}

/** How a worker spent a step. */
export interface WorkerStep {
  /** Seconds of computing, and of sending. */
  readonly seconds: number;
  /** Seconds of waiting for activations, gradients and weights of other workers. */
  readonly waitSeconds: number;
  /** Peak bytes of live tensors during the step. */
  readonly peakBytes: number;
}

/**
 * Runs the steps of a run on several workers, several steps at a time, with the results of one step after the other.
 * `createPipeline` of `@localgrad/pipeline` creates one.
 */
export interface StepPipeline {
  /** Largest number of steps that are submitted before `next` is called. */
  readonly depth: number;
  /** What the pipeline keeps in checkpoints besides weights and optimizer state, as a train step does. Default: nothing. */
  readonly memory?: StepMemory;
  /** Predicted peak memory of a step, on the worker with the highest. */
  predict(batchSize: number, options: Pick<PipelineStart, 'optimizer' | 'accumulate'>): PeakPrediction;
  /** Starts the workers. @throws LocalgradError if they cannot run the plan */
  start(start: PipelineStart): Promise<void>;
  /** Starts a step; waits while the pipeline is full. @param batch borrowed until the promise resolves */
  submit(batch: Batch, at: { readonly clock: Clock; readonly learningRate: number }): Promise<void>;
  /** The result of the oldest step that has not been returned. */
  next(): Promise<PipelineStep>;
  /** Weights, optimizer state and what steps keep after all steps, which must have been returned by `next`. */
  gather(): Promise<ReadonlyMap<string, StoredTensor>>;
  /** Ends the workers. A pipeline can be started again. */
  stop(): Promise<void>;
}
