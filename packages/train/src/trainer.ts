import { clockAt, type Head, messageOf, type Optimizer, type Schedule } from '@localgrad/core';
import { type CompiledPlan, checkWeights, type createTrainStep, type Executor } from '@localgrad/engine';
import type { RecordingStatus } from '@localgrad/kernels';
import type { BatchSource, OwnedBatch } from './batch-source.js';
import { type CheckpointPolicy, captureTensors, restoreRun, type TrainingCheckpoint } from './checkpoint.js';
import { countedBatches } from './counted-batches.js';
import { type EvaluationResult, evaluateNetwork, requireMeasure } from './evaluation.js';
import { type EvaluationSet, recordOfEvaluations } from './evaluation-records.js';
import { type EpochRecord, freeze, type Observer, type RunEndEvent, type TrainingEvent } from './events.js';
import { finalHeadOf } from './final-head.js';
import { metricToRecord } from './head-metric.js';
import { checkedBatches } from './label-check.js';
import { withoutEmpty } from './loss-log.js';
import { checkMemory } from './memory-check.js';
import type { Metric } from './metric.js';
import { checkOptions, nextTurn, runStart } from './run-setup.js';
import { RunState } from './run-state.js';
import type { StepPipeline } from './step-pipeline.js';
import { createStepRunner, type EndedStep, type StepRunner } from './step-runner.js';
import { Stopwatch } from './stopwatch.js';
import type { TrainingResult } from './training-result.js';

/** Options of `train`. */
export interface TrainOptions {
  /** The plan to train, from `compilePlan`. */
  readonly compiled: CompiledPlan;
  /** Turns the gradients into updates. */
  readonly optimizer: Optimizer;
  /** A constant learning rate, or a schedule. */
  readonly learningRate: number | Schedule;
  /** Training batches. */
  readonly batches: BatchSource;
  /**
   * Held-out training images, by which epochs and runs are chosen, so that test images need not be. Evaluated after each
   * epoch, if given.
   */
  readonly validationBatches?: BatchSource;
  /** Evaluated after each epoch, if given. */
  readonly testBatches?: BatchSource;
  /** Number of epochs. */
  readonly epochs: number;
  /** Number of steps between reads of the losses. Default 20; the losses are always read at the end of an epoch. */
  readonly logEvery?: number;
  /** Number of epochs between evaluations. Default 1; the last epoch is always evaluated. */
  readonly evaluateEvery?: number;
  /**
   * Metric by which epochs are chosen: one that the final head measures, or `loss`. Default: the head's `mainMetric`, else
   * `accuracy`. Lower values are better for `loss` and the head's `errorMetrics`.
   */
  readonly metric?: string;
  /** Receivers of the run's events. Default: none. */
  readonly observers?: readonly Observer[];
  /** Bytes that the backend can still allocate; a batch size that needs more is rejected before the first step. */
  readonly availableBytes?: number;
  /**
   * Stops the run after the current step, and saves a checkpoint if checkpoints are enabled; `train` then throws the
   * signal's reason. After the last step of an epoch, the evaluation still runs.
   */
  readonly signal?: AbortSignal;
  /**
   * Ends the run early: called after each epoch, and when a run is resumed between epochs, with the records of all completed
   * epochs. `true` ends the run as a completed one, with a checkpoint if checkpoints are enabled. Default: never.
   */
  readonly stopWhen?: (records: readonly EpochRecord[]) => boolean;
  /** When checkpoints are saved, and how. Default: none are saved. */
  readonly checkpoints?: CheckpointPolicy;
  /** Resumes from this checkpoint. On the same backend the result is bit-identical to that of an uninterrupted run. */
  readonly resume?: TrainingCheckpoint;
  /** Executor that runs the steps. Default: `createExecutor` of `@localgrad/engine`. */
  readonly executor?: (compiled: CompiledPlan) => Executor;
  /** Creates the training step, e.g. `asynchronous()` of `@localgrad/asynchronous`. Default: `createTrainStep`. */
  readonly createStep?: typeof createTrainStep;
  /** Micro-batches per step; see `createTrainStep`. Default 1. */
  readonly accumulate?: number;
  /** Seed for the random numbers of blocks and heads (dropout). Default 0. */
  readonly seed?: number;
  /** Replay recorded steps on backends that record them (webgpu); see `createTrainStep`. Default true. */
  readonly recordSteps?: boolean;
  /**
   * Trains groups of modules on several workers at the same time, with the same bits; see `createPipeline` of
   * `@localgrad/pipeline`. The plan receives the weights of the workers before evaluations and checkpoints, and at the end.
   */
  readonly pipeline?: StepPipeline;
}

/**
 * Trains a compiled plan. See README.md for the training loop as pseudocode.
 *
 * @throws LocalgradError `out-of-memory` before the first step, `non-finite-loss` when losses are read,
 *   `invalid-option`, `invalid-data` for non-finite weights and for a checkpoint of another run
 */
export async function train(options: TrainOptions): Promise<TrainingResult> {
  checkOptions(options);
  return new Training(options).run();
}

/** A training run. */
class Training {
  readonly #options: TrainOptions;
  readonly #steps: StepRunner;
  readonly #state: RunState;
  readonly #finalHead: Head;
  #metric: Metric | undefined;
  #recording: RecordingStatus | undefined;
  #isOver = false;

  constructor(options: TrainOptions) {
    const { compiled, batches, availableBytes, validationBatches, testBatches, resume } = options;
    this.#options = options;
    this.#steps = createStepRunner(options);
    const predict = (size: number) => this.#steps.predict(size);
    if (availableBytes !== undefined) checkMemory(compiled, batches.batchSize, availableBytes, predict);
    this.#finalHead = finalHeadOf(compiled);
    if (validationBatches !== undefined || testBatches !== undefined) requireMeasure(this.#finalHead);
    this.#state = new RunState(compiled, resume?.progress);
  }

  async run(): Promise<TrainingResult> {
    const { compiled, optimizer, batches, resume, signal } = this.#options;
    const state = this.#state;
    try {
      this.#metric = await metricToRecord(this.#options, this.#finalHead);
      // Before tensors are restored, so that they count like created ones.
      this.#steps.open();
      if (resume !== undefined) restoreRun(compiled, optimizer, resume, this.#steps.memory);
      await checkWeights(compiled);
      this.#emit(runStart(this.#options, this.#steps.predict(batches.batchSize).peakBytes));
      signal?.throwIfAborted();
      this.#isOver = this.#endsHere();
      while (!this.#isOver) {
        await this.#runEpoch();
        signal?.throwIfAborted();
      }
      await this.#steps.update();
    } catch (error) {
      this.#end(signal?.aborted === true && error === signal.reason ? 'aborted' : 'failed', messageOf(error));
      throw error;
    } finally {
      state.losses.dispose();
      await this.#steps.close();
    }
    this.#end('completed');
    const recording = this.#recording === undefined ? {} : { recording: this.#recording };
    return { ...state.summary(), epochs: state.records, ...recording };
  }

  async #runEpoch(): Promise<void> {
    const { epochs, evaluateEvery = 1, checkpoints } = this.#options;
    const state = this.#state;
    const { number: epoch, batchesDone } = state.epoch;
    if (batchesDone === 0) this.#emit({ type: 'epoch-start', epoch, epochs });
    for await (const batch of this.#batches(epoch - 1, batchesDone)) await this.#runBatch(batch);
    await this.#endSteps(0);
    const isEvaluated = epoch % evaluateEvery === 0 || epoch === epochs;
    const record = this.#record(isEvaluated ? await this.#evaluate(epoch) : new Map());
    state.endEpoch(record);
    this.#emit({ type: 'epoch-end', epochs, ...record });
    this.#isOver = this.#endsHere();
    if (this.#isOver || isDue(epoch, checkpoints?.everyEpochs ?? 1) || this.#isSaveDue()) await this.#save();
  }

  /** Whether the run ends between two epochs: after the last one, or where `stopWhen` says so. */
  #endsHere(): boolean {
    const { epochs, stopWhen } = this.#options;
    const { epoch, records } = this.#state;
    if (epoch.number > epochs) return true;
    const isBetween = records.length > 0 && epoch.batchesDone === 0;
    return isBetween && stopWhen?.([...records]) === true;
  }

  /** Labels are checked if a loss reads them: otherwise they may have another meaning. */
  #batches(epoch: number, done: number): AsyncIterable<OwnedBatch> {
    const { compiled, batches } = this.#options;
    const fromSample = done * batches.batchSize;
    const found = compiled.reads.includes('labels')
      ? checkedBatches(batches, compiled.network.classes, epoch, fromSample)
      : batches.epoch(epoch, fromSample);
    return countedBatches(found, batches, epoch, done);
  }

  async #runBatch(batch: OwnedBatch): Promise<void> {
    const { batches, epochs } = this.#options;
    const state = this.#state;
    const step = state.step + this.#steps.pending;
    try {
      // A checkpoint is saved, and a run is stopped, when all steps that were started have ended.
      if (this.#steps.pending > 0 && this.#isSaveDue(step)) await this.#endSteps(0);
    } catch (error) {
      batch.dispose();
      throw error;
    }
    state.training.start();
    await this.#steps.start(batch, clockAt(step, epochs, batches.batchesPerEpoch));
    await this.#endSteps(this.#steps.depth - 1);
  }

  /** Waits until at most `pending` steps have not ended. */
  async #endSteps(pending: number): Promise<void> {
    while (this.#steps.pending > pending) {
      const step = await this.#steps.next();
      this.#state.training.stop();
      if (this.#steps.pending > 0) this.#state.training.start();
      await this.#endStep(step);
    }
  }

  async #endStep(ended: EndedStep): Promise<void> {
    const { batches, epochs, logEvery = 20, signal } = this.#options;
    const state = this.#state;
    const { epoch, losses } = state;
    state.learningRate = ended.learningRate;
    state.step++;
    losses.add(state.step, ended);
    epoch.peakBytes = Math.max(epoch.peakBytes, ended.peakBytes);
    epoch.multiplyAccumulates += ended.multiplyAccumulatesPerImage;
    this.#reportRecording(ended.recording);
    epoch.batchesDone++;
    const isLast = epoch.batchesDone === batches.batchesPerEpoch;
    const reading = losses.steps === logEvery || isLast ? withoutEmpty(await losses.read()) : {};
    const { step, learningRate } = state;
    const steps = epochs * batches.batchesPerEpoch;
    this.#emit({ type: 'step-end', step, steps, epoch: epoch.number, learningRate, ...reading });
    await nextTurn();
    // Checkpoints at the end of an epoch include the evaluation, so a run stops there only after it.
    if (isLast || this.#steps.pending > 0) return;
    if (this.#isSaveDue()) await this.#save();
    signal?.throwIfAborted();
  }

  /** Steps of a rare kind, as the last one of an epoch, may still be traced after others are recorded. */
  #reportRecording(recording: RecordingStatus | undefined): void {
    if (recording === undefined || recording.mode === 'tracing') return;
    const isNew = recording.mode !== this.#recording?.mode;
    this.#recording = recording;
    if (isNew) this.#emit({ type: 'recording', step: this.#state.step, ...recording });
  }

  async #evaluate(epoch: number): Promise<ReadonlyMap<EvaluationSet, EvaluationResult>> {
    const { compiled, validationBatches, testBatches } = this.#options;
    const results = new Map<EvaluationSet, EvaluationResult>();
    const sources = { validation: validationBatches, test: testBatches };
    for (const set of ['validation', 'test'] as const) {
      const batches = sources[set];
      if (batches === undefined) continue;
      if (results.size === 0) await this.#steps.update();
      const watch = new Stopwatch().start();
      const result = await evaluateNetwork(compiled.network, batches, this.#finalHead);
      this.#emit({ type: 'evaluation-end', set, epoch, seconds: watch.stop().seconds, ...result });
      results.set(set, result);
    }
    return results;
  }

  #record(evaluations: ReadonlyMap<EvaluationSet, EvaluationResult>): EpochRecord {
    const { epoch, losses, learningRate, epochSeconds: seconds } = this.#state;
    this.#state.peakBytes = Math.max(this.#state.peakBytes, epoch.peakBytes);
    const multiplyAccumulatesPerImage = epoch.multiplyAccumulates / epoch.batchesDone;
    return {
      epoch: epoch.number,
      losses: losses.endEpoch(),
      learningRate,
      seconds,
      imagesPerSecond: this.#options.batches.samples / seconds,
      peakBytes: epoch.peakBytes,
      ...(Number.isNaN(multiplyAccumulatesPerImage) ? {} : { multiplyAccumulatesPerImage }),
      ...(this.#metric === undefined ? {} : { metric: this.#metric }),
      ...recordOfEvaluations(evaluations),
    };
  }

  async #save(): Promise<void> {
    const { compiled, optimizer, checkpoints } = this.#options;
    if (checkpoints === undefined) return;
    await this.#steps.update();
    const { memory } = this.#steps;
    const stepMemory = memory === undefined ? {} : { stepMemory: memory.values() };
    const progress = { ...(await this.#state.progress()), ...stepMemory };
    await checkpoints.save({ progress, tensors: await captureTensors(compiled, optimizer, memory) });
  }

  /** @param step number of steps that have ended, or that will have when the started ones have */
  #isSaveDue(step = this.#state.step): boolean {
    const { signal, checkpoints } = this.#options;
    return signal?.aborted === true || isDue(step, checkpoints?.everySteps) || checkpoints?.isDue?.() === true;
  }

  #end(status: RunEndEvent['status'], reason?: string): void {
    this.#emit({ type: 'run-end', status, ...this.#state.summary(), ...(reason === undefined ? {} : { reason }) });
  }

  #emit(event: TrainingEvent): void {
    freeze(event);
    for (const observer of this.#options.observers ?? []) observer.observe(event);
  }
}

function isDue(count: number, every: number | undefined): boolean {
  return every !== undefined && count % every === 0;
}
