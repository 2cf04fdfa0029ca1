import { type Clock, LocalgradError, type Parameter } from '@localgrad/core';
import {
  createTrainStep,
  learningRateOf,
  type PeakPrediction,
  phaseWork,
  type StepResult,
  type TrainStep,
  type TrainStepOptions,
} from '@localgrad/engine';
import { MemoryMeter, type RecordingStatus } from '@localgrad/kernels';
import * as tf from '@tensorflow/tfjs';
import type { OwnedBatch } from './batch-source.js';
import { captureTensors, mapTensors, restoreTensors, splitTensors } from './checkpoint.js';
import type { StepPipeline } from './step-pipeline.js';
import { StoredMemory } from './stored-memory.js';
import type { TrainOptions } from './trainer.js';

/** A step that has ended. */
export interface EndedStep extends StepResult {
  readonly learningRate: number;
  /** Peak bytes of live tensors during the step. */
  readonly peakBytes: number;
  /** Multiply-accumulates for one image: modules and heads, forward and backward. */
  readonly multiplyAccumulatesPerImage: number;
  readonly recording?: RecordingStatus | undefined;
}

/** Runs the steps of a run: here, or in a pipeline. Steps end in the order in which they were started. */
export interface StepRunner {
  /** Largest number of started steps that have not been taken by `next`. */
  readonly depth: number;
  /** Number of started steps that have not been taken by `next`. */
  readonly pending: number;
  /** What the step keeps between steps besides weights and optimizer state; see `TrainStep`. */
  readonly memory: TrainStep['memory'];
  predict(batchSize: number): PeakPrediction;
  /** Called once, before weights are restored: starts to measure memory. */
  open(): void;
  /** Starts a step. Takes ownership of the batch. */
  start(batch: OwnedBatch, clock: Clock): Promise<void>;
  next(): Promise<EndedStep>;
  /** Makes the plan's weights and the optimizer's state those after the last step; none may be pending. */
  update(): Promise<void>;
  close(): Promise<void>;
}

/** @throws LocalgradError `invalid-option` */
export function createStepRunner(options: TrainOptions): StepRunner {
  const { pipeline } = options;
  if (pipeline === undefined) return new LocalRunner(options);
  const unused = (['executor', 'createStep'] as const).find((name) => options[name] !== undefined);
  if (unused === undefined) return new PipelineRunner(options, pipeline);
  throw new LocalgradError(
    'invalid-option',
    `train: option '${unused}' has no effect on the workers of a pipeline; omit one of the two.`,
  );
}

/** The options of the step, without those of the loop. */
function stepOptionsOf(options: TrainOptions): TrainStepOptions {
  const { compiled, optimizer, learningRate, executor, accumulate, seed, recordSteps } = options;
  return {
    ...{ compiled, optimizer, learningRate },
    ...(executor === undefined ? {} : { executor }),
    ...(accumulate === undefined ? {} : { accumulate }),
    ...(seed === undefined ? {} : { seed }),
    ...(recordSteps === undefined ? {} : { recordSteps }),
  };
}

/** Runs each step when it is started. */
class LocalRunner implements StepRunner {
  readonly depth = 1;
  readonly #step: TrainStep;
  readonly #parameters: ReadonlyMap<string, Parameter>;
  #meter: MemoryMeter | undefined;
  readonly #ended: EndedStep[] = [];

  constructor(options: TrainOptions) {
    const { createStep = createTrainStep, compiled } = options;
    this.#step = createStep(stepOptionsOf(options));
    this.#parameters = compiled.parameters;
  }

  get pending(): number {
    return this.#ended.length;
  }

  get memory(): TrainStep['memory'] {
    return this.#step.memory;
  }

  predict(batchSize: number): PeakPrediction {
    return this.#step.predict(batchSize);
  }

  open(): void {
    // Weights that no step updates remain what they are: those of later phases, and frozen ones.
    this.#meter = new MemoryMeter({ including: [...this.#parameters.values()].map(({ value }) => value) });
  }

  async start(batch: OwnedBatch, clock: Clock): Promise<void> {
    this.#meter?.reset();
    const result = this.#step.run(batch, clock);
    batch.dispose();
    const { recording } = this.#step;
    const arenaBytes = recording?.mode === 'recorded' ? recording.arenaBytes : 0;
    this.#ended.push({ ...result, peakBytes: (this.#meter?.peakBytes ?? 0) + arenaBytes, recording });
  }

  async next(): Promise<EndedStep> {
    const [step] = this.#ended.splice(0, 1);
    if (step === undefined) throw new LocalgradError('misuse', 'No step has been started.');
    return step;
  }

  async update(): Promise<void> {}

  async close(): Promise<void> {
    this.#meter?.detach();
    this.#step.dispose();
  }
}

/** Runs steps on the workers of a pipeline. */
class PipelineRunner implements StepRunner {
  readonly depth: number;
  /** What the workers' steps keep, as of the last update. */
  readonly memory: TrainStep['memory'];
  /** The same, where gradients are late. */
  readonly #stored: StoredMemory | undefined;
  readonly #options: TrainOptions;
  readonly #pipeline: StepPipeline;
  /** What is known of the pending steps. */
  readonly #started: Pick<EndedStep, 'learningRate' | 'multiplyAccumulatesPerImage'>[] = [];
  #isUpToDate = true;
  #isStarted = false;

  constructor(options: TrainOptions, pipeline: StepPipeline) {
    this.#options = options;
    this.#pipeline = pipeline;
    this.#stored = options.compiled.gradientDelay === undefined ? undefined : new StoredMemory();
    this.depth = pipeline.depth;
    this.memory = pipeline.memory ?? this.#stored;
  }

  get pending(): number {
    return this.#started.length;
  }

  predict(batchSize: number): PeakPrediction {
    const { optimizer, accumulate = 1 } = this.#options;
    return this.#pipeline.predict(batchSize, { optimizer, accumulate });
  }

  /** The workers measure their own memory. */
  open(): void {}

  /** Threads start with the first step, so that a run that has none left starts none. */
  async #startWorkers(): Promise<void> {
    this.#isStarted = true;
    const { compiled, optimizer, batches, accumulate = 1, seed = 0 } = this.#options;
    const tensors = await captureTensors(compiled, optimizer, this.#stored);
    await this.#pipeline.start({ compiled, optimizer, batchSize: batches.batchSize, accumulate, seed, tensors });
  }

  async start(batch: OwnedBatch, clock: Clock): Promise<void> {
    const { compiled } = this.#options;
    const learningRate = learningRateOf(this.#options)(clock);
    try {
      if (!this.#isStarted) await this.#startWorkers();
      await this.#pipeline.submit(batch, { clock, learningRate });
    } finally {
      batch.dispose();
    }
    this.#started.push({ learningRate, multiplyAccumulatesPerImage: phaseWork(compiled, compiled.phaseAt(clock)) });
    this.#isUpToDate = false;
  }

  async next(): Promise<EndedStep> {
    const { losses, terms, peakBytes, multiplyAccumulatesPerImage: counted } = await this.#pipeline.next();
    const [started = unknownStep] = this.#started.splice(0, 1);
    const work = counted === undefined ? {} : { multiplyAccumulatesPerImage: counted };
    return { losses: scalarsOf(losses), terms: scalarsOf(terms), ...started, ...work, peakBytes };
  }

  async update(): Promise<void> {
    if (this.#isUpToDate) return;
    const { compiled, optimizer } = this.#options;
    const [own, ofStep] = splitTensors(await this.#pipeline.gather());
    restoreTensors(compiled, optimizer, own);
    this.#stored?.load({}, mapTensors(ofStep));
    this.#isUpToDate = true;
  }

  close(): Promise<void> {
    this.#stored?.dispose();
    return this.#pipeline.stop();
  }
}

const unknownStep = { learningRate: Number.NaN, multiplyAccumulatesPerImage: Number.NaN };

function scalarsOf(values: ReadonlyMap<string, number>): Map<string, tf.Scalar> {
  return new Map([...values].map(([id, value]) => [id, tf.scalar(value)]));
}
