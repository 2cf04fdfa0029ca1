import { at, type Clock, type JsonValue, LocalgradError } from '@localgrad/core';
import {
  type Batch,
  type CompiledPlan,
  createPartStep,
  endStep,
  learningRateOf,
  type PartStep,
  type PeakPrediction,
  partOf,
  phaseWork,
  type StepMemory,
  type TrainStep,
  type TrainStepOptions,
  type TrainStepResult,
} from '@localgrad/engine';
import * as tf from '@tensorflow/tfjs';
import { bufferTargets } from './buffer-bytes.js';
import { checkLocal } from './check-local.js';
import { type AsynchronousOptions, resolveAsynchronous } from './options.js';
import { predictAsynchronous } from './prediction.js';
import { AsynchronousSchedule, type Turn } from './schedule.js';
import { StoredBatches, storedBatch } from './stored-batches.js';

/**
 * Asynchronous training of a plan with local losses, simulated in one process: pass the result as `createStep` to `train`.
 * Each module reads its inputs from a replay buffer, which the module before it fills at its own pace.
 *
 * @throws LocalgradError `invalid-option` for the options; the created function also `invalid-plan` for losses that train several
 *   modules
 */
export function asynchronous(options: AsynchronousOptions = {}): (step: TrainStepOptions) => TrainStep {
  const rules = resolveAsynchronous(options);
  return (step) => new AsynchronousStep(step, rules);
}

type Result = Pick<TrainStepResult, 'losses' | 'terms'>;

class AsynchronousStep implements TrainStep {
  readonly recording = undefined;
  /** A property, because callers pass it on without the step. */
  readonly predict = (batchSize: number): PeakPrediction => {
    const { compiled, optimizer, accumulate = 1 } = this.#options;
    return predictAsynchronous(compiled, this.#rules, batchSize, { optimizer, accumulate });
  };
  readonly memory: StepMemory;
  readonly #options: TrainStepOptions;
  readonly #rules: AsynchronousOptions;
  readonly #rateAt: (clock: Clock) => number;
  readonly #schedule: AsynchronousSchedule;
  /** State of the schedule before the first step. */
  readonly #start: JsonValue;
  readonly #stored = new StoredBatches();
  readonly #compiledParts: readonly CompiledPlan[];
  readonly #parts: readonly PartStep[];
  /** Outputs of the turn that runs now, one per micro-batch. */
  #outputs: Batch[] = [];

  constructor(options: TrainStepOptions, rules: AsynchronousOptions) {
    const { compiled, optimizer, executor, seed = 0 } = options;
    const modules = compiled.modules.length;
    if (executor !== undefined) {
      throw new LocalgradError(
        'invalid-option',
        "Asynchronous training has its own executor; remove option 'executor'.",
      );
    }
    checkLocal(compiled, optimizer);
    this.#options = options;
    this.#rules = resolveAsynchronous(rules, modules);
    this.#rateAt = learningRateOf(options);
    this.#schedule = new AsynchronousSchedule({ ...rules, modules, seed });
    this.#start = this.#schedule.state();
    this.#compiledParts = compiled.modules.map((_, module) => partOf(compiled, [module, module]));
    this.#parts = compiled.modules.map((_, module) => this.#partOf(module));
    this.memory = {
      values: () => this.#schedule.state(),
      tensors: () => this.#stored.tensors(),
      load: (values, tensors) => {
        this.#schedule.restore(values);
        this.#stored.load(tensors);
      },
    };
  }

  run(batch: Batch | readonly Batch[], clock: Clock): TrainStepResult {
    const { compiled } = this.#options;
    const { name: phase, schedule } = compiled.phaseAt(clock);
    let multiplyAccumulatesPerImage = 0;
    const learningRate = this.#rateAt(clock);
    const active = new Set(schedule.map(({ module }) => module));
    const trained = new Set<number>();
    const result = { losses: new Map<string, tf.Scalar>(), terms: new Map<string, tf.Scalar>() };
    for (const turn of this.#schedule.round((module) => active.has(module))) {
      const { losses, terms } = this.#take(turn, batch, { clock, learningRate });
      multiplyAccumulatesPerImage += this.#workOf(turn.module, clock);
      keepLast(result.losses, losses);
      keepLast(result.terms, terms);
      trained.add(turn.module);
    }
    endStep(compiled, clock, (module) => trained.has(module));
    return { ...result, learningRate, phase, multiplyAccumulatesPerImage };
  }

  dispose(): void {
    this.#stored.dispose();
    this.#schedule.restore(this.#start);
  }

  #take({ module, read, write, repetition }: Turn, batch: Batch | readonly Batch[], now: PartTime): Result {
    this.#outputs = [];
    const input = read === undefined ? batch : this.#stored.get(module - 1, read);
    const result = at(this.#parts, module, 'module').run(input, { ...now, repetition });
    if (write !== undefined) this.#stored.set(module, write, this.#outputs);
    return result;
  }

  #workOf(module: number, clock: Clock): number {
    const part = at(this.#compiledParts, module, 'module');
    return phaseWork(part, part.phaseAt(clock));
  }

  #partOf(module: number): PartStep {
    const { compiled, optimizer, accumulate = 1, seed = 0 } = this.#options;
    const names = bufferTargets(compiled, module);
    const isLast = module === compiled.modules.length - 1;
    const onOutput = ({ images, targets }: Batch) => {
      this.#outputs.push(storedBatch(images, targets, names));
    };
    const part = at(this.#compiledParts, module, 'module');
    return createPartStep({ compiled: part, optimizer, accumulate, seed, ...(isLast ? {} : { onOutput }) });
  }
}

interface PartTime {
  readonly clock: Clock;
  readonly learningRate: number;
}

/** Replaces the scalars of a module that has trained before in the same round. */
function keepLast(all: Map<string, tf.Scalar>, scalars: ReadonlyMap<string, tf.Scalar>): void {
  for (const [id, scalar] of scalars) {
    tf.dispose(all.get(id) ?? []);
    all.set(id, scalar);
  }
}
