import { LocalgradError } from '@localgrad/core';
import { type CompiledPlan, createExecutor } from '@localgrad/engine';
import { MemoryMeter } from '@localgrad/kernels';
import { constantRate, type Optimizer, type Schedule } from '@localgrad/nn';
import * as tf from '@tensorflow/tfjs';
import type { BatchSource, OwnedBatch } from './batch-source.js';
import {
  type CheckpointPolicy,
  captureTensors,
  recordOf,
  restoreTensors,
  storedRecord,
  type TrainingCheckpoint,
  type TrainingProgress,
} from './checkpoint.js';
import { type EvaluationResult, evaluateNetwork } from './evaluation.js';
import type { EpochRecord, Observer, RunEndEvent, TrainingEvent } from './events.js';
import { LossLog } from './loss-log.js';
import { checkMemory } from './memory-check.js';
import { checkOptions, nextTurn, runStart } from './run-setup.js';
import { Stopwatch } from './stopwatch.js';

export interface TrainOptions {
  readonly compiled: CompiledPlan;
  readonly optimizer: Optimizer;
  /** A constant learning rate, or a schedule of rates. */
  readonly learningRate: number | Schedule;
  readonly batches: BatchSource;
  /** Evaluated after each epoch, if given. */
  readonly testBatches?: BatchSource;
  readonly epochs: number;
  /** Steps between two readings of the losses. Default 20; an epoch's last step is always read. */
  readonly logEvery?: number;
  /** Epochs between two evaluations. Default 1; the last epoch is always evaluated. */
  readonly evaluateEvery?: number;
  readonly observers?: readonly Observer[];
  /** What the backend can still hand out; a batch that needs more is refused before the first step. */
  readonly availableBytes?: number;
  /**
   * Stops the run after the step at work, with a checkpoint if any are made; `train` then throws the signal's reason. An
   * epoch's last step counts with its evaluation.
   */
  readonly signal?: AbortSignal;
  readonly checkpoints?: CheckpointPolicy;
  /** Goes on from here. On the same backend the result equals an uninterrupted run's, bit for bit. */
  readonly resume?: TrainingCheckpoint;
}

export interface TrainingResult {
  /** Accuracy of the plain backbone after the last epoch; null without test batches. */
  readonly testAccuracy: number | null;
  readonly bestTestAccuracy: number | null;
  /** Training steps alone. */
  readonly seconds: number;
  /** With evaluation. */
  readonly totalSeconds: number;
  /** Highest bytes of live tensors during a training step: weights, optimizer state and batch included. */
  readonly peakBytes: number;
  readonly steps: number;
  readonly epochs: readonly EpochRecord[];
  /** How often the run was taken up from a checkpoint. */
  readonly resumptions: number;
}

/**
 * Trains a compiled plan. The loop, with its events, is this function; README.md shows it as pseudocode.
 *
 * @throws LocalgradError `out-of-memory` before the first step, `non-finite-loss` at a reading, `invalid-option`,
 *   `invalid-data` for a checkpoint of another run
 */
export async function train(options: TrainOptions): Promise<TrainingResult> {
  checkOptions(options);
  const { compiled, optimizer, batches, testBatches, epochs, logEvery = 20, evaluateEvery = 1, signal } = options;
  if (options.availableBytes !== undefined) checkMemory(compiled, batches.batchSize, options.availableBytes);
  const schedule =
    typeof options.learningRate === 'number'
      ? constantRate({ learningRate: options.learningRate })
      : options.learningRate;
  const resumed = options.resume?.progress;
  const executor = createExecutor(compiled);
  const losses = new LossLog(compiled, resumed?.losses);
  const meter = new MemoryMeter();
  const training = new Stopwatch(resumed?.seconds);
  const total = new Stopwatch(resumed?.totalSeconds).start();
  const steps = epochs * batches.batchesPerEpoch;
  const records: EpochRecord[] = (resumed?.records ?? []).map(recordOf);
  const resumptions = resumed === undefined ? 0 : resumed.resumptions + 1;
  let step = resumed?.step ?? 0;
  let learningRate = 0;
  let peakBytes = resumed?.peakBytes ?? 0;

  const emit = (event: TrainingEvent) => {
    freeze(event);
    for (const observer of options.observers ?? []) observer.observe(event);
  };

  const runStep = (batch: OwnedBatch, epoch: number) => {
    training.start();
    meter.reset();
    learningRate = schedule.rate({ epoch, epochs, step, steps });
    const result = executor.step(batch, {
      progress: step / steps,
      onGradient: (parameter, gradient) => optimizer.update(parameter, gradient, learningRate),
    });
    step++;
    for (const hook of compiled.plan.hooks) tf.tidy(() => hook.afterStep({ step, parameters: compiled.parameters }));
    batch.dispose();
    losses.add(step, result);
    training.stop();
    return meter.peakBytes;
  };

  const saveCheckpoint = async (position: Pick<TrainingProgress, 'epoch' | 'batchesDone'>, epochState: EpochState) => {
    const policy = options.checkpoints;
    if (policy === undefined) return;
    const progress: TrainingProgress = {
      step,
      ...position,
      losses: await losses.state(),
      records: records.map(storedRecord),
      seconds: training.seconds,
      totalSeconds: total.seconds,
      ...epochState,
      peakBytes,
      resumptions,
    };
    await policy.save({ progress, tensors: await captureTensors(compiled, optimizer) });
  };

  const isSaveDue = () =>
    signal?.aborted === true || isDue(step, options.checkpoints?.everySteps) || options.checkpoints?.isDue?.() === true;

  const runEpoch = async (epoch: number): Promise<EpochRecord> => {
    const isContinued = resumed?.epoch === epoch && resumed.batchesDone > 0;
    const secondsBefore = training.seconds - (isContinued ? resumed.epochSeconds : 0);
    let epochPeak = isContinued ? resumed.epochPeakBytes : 0;
    let batchesDone = isContinued ? resumed.batchesDone : 0;
    if (!isContinued) emit({ type: 'epoch-start', epoch, epochs });
    for (const batch of batches.epoch(epoch - 1, batchesDone * batches.batchSize)) {
      epochPeak = Math.max(epochPeak, runStep(batch, epoch));
      batchesDone++;
      const isLast = batchesDone === batches.batchesPerEpoch;
      const reading = losses.steps === logEvery || isLast ? withoutEmpty(await losses.read()) : {};
      emit({ type: 'step-end', step, steps, epoch, learningRate, ...reading });
      await nextTurn();
      // The end of an epoch is saved with its evaluation, below; only there can a run stop after its last step.
      if (isLast) continue;
      if (isSaveDue()) {
        const epochSeconds = training.seconds - secondsBefore;
        await saveCheckpoint({ epoch, batchesDone }, { epochSeconds, epochPeakBytes: epochPeak });
      }
      signal?.throwIfAborted();
    }
    const evaluation = epoch % evaluateEvery === 0 || epoch === epochs ? await evaluate(epoch) : undefined;
    const seconds = training.seconds - secondsBefore;
    peakBytes = Math.max(peakBytes, epochPeak);
    return {
      epoch,
      losses: losses.endEpoch(),
      learningRate,
      seconds,
      imagesPerSecond: batches.samples / seconds,
      peakBytes: epochPeak,
      ...(evaluation === undefined ? {} : { testAccuracy: evaluation.accuracy, testLoss: evaluation.loss }),
    };
  };

  const evaluate = async (epoch: number): Promise<EvaluationResult | undefined> => {
    if (testBatches === undefined) return undefined;
    const watch = new Stopwatch().start();
    const result = await evaluateNetwork(compiled.network, testBatches);
    emit({ type: 'evaluation-end', epoch, seconds: watch.stop().seconds, ...result });
    return result;
  };

  const summary = () => ({
    ...accuracies(records),
    seconds: training.seconds,
    totalSeconds: total.seconds,
    peakBytes,
    steps: step,
    resumptions,
  });
  const end = (status: RunEndEvent['status'], reason?: string) =>
    emit({ type: 'run-end', status, ...summary(), ...(reason === undefined ? {} : { reason }) });

  try {
    // Under the meter's eyes: what is restored counts like what was made.
    if (options.resume !== undefined) restoreTensors(compiled, optimizer, options.resume.tensors);
    emit(runStart(options));
    signal?.throwIfAborted();
    for (let epoch = resumed?.epoch ?? 1; epoch <= epochs; epoch++) {
      const record = await runEpoch(epoch);
      records.push(record);
      emit({ type: 'epoch-end', epochs, ...record });
      if (epoch === epochs || isDue(epoch, options.checkpoints?.everyEpochs ?? 1) || isSaveDue()) {
        await saveCheckpoint({ epoch: epoch + 1, batchesDone: 0 }, { epochSeconds: 0, epochPeakBytes: 0 });
      }
      signal?.throwIfAborted();
    }
  } catch (error) {
    end(signal?.aborted === true && error === signal.reason ? 'aborted' : 'failed', messageOf(error));
    throw error;
  } finally {
    losses.dispose();
    meter.detach();
  }
  end('completed');
  return { ...summary(), epochs: records };
}

type EpochState = Pick<TrainingProgress, 'epochSeconds' | 'epochPeakBytes'>;

function isDue(count: number, every: number | undefined): boolean {
  return every !== undefined && count % every === 0;
}

function accuracies(records: readonly EpochRecord[]) {
  const all = records.flatMap(({ testAccuracy }) => (testAccuracy === undefined ? [] : [testAccuracy]));
  return { testAccuracy: all.at(-1) ?? null, bestTestAccuracy: all.length === 0 ? null : Math.max(...all) };
}

/** Terms are left out where no head reports any. */
function withoutEmpty({ losses, terms }: Awaited<ReturnType<LossLog['read']>>) {
  return Object.keys(terms).length === 0 ? { losses } : { losses, terms };
}

function freeze(value: object): void {
  for (const nested of Object.values(value)) if (typeof nested === 'object' && nested !== null) freeze(nested);
  Object.freeze(value);
}

function messageOf(error: unknown): string {
  return LocalgradError.isInstance(error) || error instanceof Error ? error.message : String(error);
}
