import { type Clock, LocalgradError, type NoiseKey } from '@localgrad/core';
import {
  currentKernels,
  type NamedTensors,
  type RecordedStep,
  type RecordingStatus,
  type StepRecorder,
} from '@localgrad/kernels';
import type * as tf from '@tensorflow/tfjs';
import type { CompiledPlan } from './compile.js';
import { objectiveWeight } from './objective-weight.js';
import type { CompiledPhase } from './phases.js';
import type { Batch, StepResult } from './step.js';

/** Numbers of the step that runs now. In recorded steps, code of earlier steps runs again and reads them. */
export interface StepNow {
  clock: Clock;
  learningRate: number;
}

/** The batch of a step as it was passed, and its micro-batches. */
export interface StepBatches {
  readonly batches: readonly Batch[];
  readonly parts: readonly { readonly samples: number }[];
}

interface Setting<Input extends StepBatches> {
  readonly compiled: CompiledPlan;
  /** The tensors of the optimizer. */
  readonly optimizerState: () => Iterable<tf.Tensor>;
  readonly now: StepNow;
  readonly run: (input: Input, recorder: StepRecorder | undefined) => StepResult;
}

type PackedResult = Readonly<Record<string, tf.Scalar>>;

/** Kinds of steps (phases, batch sizes) whose recordings are kept. */
const mostKinds = 3;

/** Runs steps, recorded where the backend can, with one recording for each phase and shape of a batch. */
export class RecordedSteps<Input extends StepBatches> {
  readonly #setting: Setting<Input>;
  /** In the order of their last use. */
  readonly #kinds = new Map<string, RecordedStep<PackedResult>>();
  #recorder: StepRecorder | undefined;
  #current: RecordedStep<PackedResult> | undefined;
  /** The batch of the step that runs now. */
  #input: Input | undefined;

  constructor(setting: Setting<Input>) {
    this.#setting = setting;
  }

  /** Undefined if the backend does not record. */
  get status(): RecordingStatus | undefined {
    return this.#current?.status;
  }

  run(input: Input): StepResult {
    const { recorder } = currentKernels();
    if (recorder !== this.#recorder) this.dispose();
    this.#recorder = recorder;
    if (recorder === undefined) return this.#setting.run(input, undefined);
    const step = this.#stepOf(input, recorder);
    this.#current = step;
    // Weights with different factors on the learning rate would be updated as one, and could not be distinguished later.
    const isIndistinct = this.#setting.now.learningRate === 0 && step.status.mode === 'tracing';
    if (isIndistinct) return this.#setting.run(input, undefined);
    return unpackResult(step.run(packBatches(input.batches)));
  }

  dispose(): void {
    for (const step of this.#kinds.values()) step.dispose();
    this.#kinds.clear();
    this.#current = undefined;
  }

  #stepOf(input: Input, recorder: StepRecorder): RecordedStep<PackedResult> {
    const key = this.#keyOf(input);
    const known = this.#kinds.get(key);
    this.#kinds.delete(key);
    const [oldest] = this.#kinds;
    if (known === undefined && oldest !== undefined && this.#kinds.size >= mostKinds) {
      this.#kinds.delete(oldest[0]);
      oldest[1].dispose();
    }
    const step = known ?? this.#create(recorder);
    this.#kinds.set(key, step);
    this.#input = input;
    return step;
  }

  #create(recorder: StepRecorder): RecordedStep<PackedResult> {
    const { compiled, optimizerState, now, run } = this.#setting;
    const parameters = [...compiled.parameters.values()];
    return recorder.recordStep({
      run: () => packResult(run(present(this.#input), recorder)),
      state: () => [...parameters.map(({ value }) => value), ...optimizerState()],
      numbers: () => scheduledWeights(compiled.phaseAt(now.clock), now.clock, present(this.#input).parts),
    });
  }

  /** Everything that determines the operations of a step. */
  #keyOf({ batches }: Input): string {
    const { compiled, now } = this.#setting;
    const phase = compiled.phaseAt(now.clock);
    const shapes = batches.map(({ images, targets }) =>
      [`${images.shape}`, ...Object.entries(targets).map(([name, target]) => `${name} ${target?.shape}`)].join(', '),
    );
    // Losses of weight 0 are computed by other operations.
    const weights = phase.objectives.map((objective) => (objectiveWeight(objective, now.clock) === 0 ? '0' : '1'));
    return [phase.name, weights.join(''), ...shapes].join('; ');
  }
}

/** The weights of losses that change with the clock, as heads receive them, and divided by the samples of a mean. */
function scheduledWeights({ heads }: CompiledPhase, clock: Clock, parts: StepBatches['parts']): Record<string, number> {
  const numbers: Record<string, number> = {};
  const total = parts.reduce((sum, { samples }) => sum + samples, 0);
  for (const { key, objectives } of [...heads.values()].flat()) {
    if (objectives.every(({ weight }) => typeof weight === 'number')) continue;
    const weights = objectives.map((objective) => objectiveWeight(objective, clock));
    const sum = weights.reduce((all, weight) => all + weight, 0);
    parts.forEach(({ samples }, part) => {
      const weight = sum * (samples / total);
      numbers[`weight of ${key} in part ${part}`] = weight;
      numbers[`weight of ${key} in part ${part} per sample`] = weight / samples;
    });
    if (objectives.length === 1) continue;
    weights.forEach((weight, index) => {
      numbers[`share ${index} of ${key}`] = sum === 0 ? 0 : weight / sum;
    });
  }
  return numbers;
}

/** The clock of `now`, which refuses to be read while a step is traced: a replay would repeat the numbers of that step. */
export function watchedClock(now: StepNow, recorder: StepRecorder): Clock {
  const read = <T>(value: T): T => {
    recorder.refuse('a head reads the clock');
    return value;
  };
  return {
    get step() {
      return read(now.clock.step);
    },
    get steps() {
      return read(now.clock.steps);
    },
    get epoch() {
      return read(now.clock.epoch);
    },
    get epochs() {
      return read(now.clock.epochs);
    },
    get fraction() {
      return read(now.clock.fraction);
    },
  };
}

/** The key of random numbers at `now`, to be read in computed tensors only. */
export function watchedNoise(now: StepNow, seed: number, part: number, recorder: StepRecorder): NoiseKey {
  return {
    seed,
    part,
    get step() {
      recorder.refuse('a block or head samples random numbers other than by computedTensor');
      return now.clock.step;
    },
  };
}

function packBatches(batches: readonly Batch[]): NamedTensors {
  return Object.fromEntries(
    batches.flatMap(({ images, targets }, part) => [
      [`${part}/images`, images] as const,
      ...Object.entries(targets).flatMap(([name, target]) =>
        target === undefined ? [] : [[`${part}/targets/${name}`, target] as const],
      ),
    ]),
  );
}

const [loss, term] = ['loss/', 'term/'];

function packResult({ losses, terms }: StepResult): PackedResult {
  const named = (kind: string, scalars: StepResult['losses']) =>
    [...scalars].map(([id, scalar]) => [kind + id, scalar] as const);
  return Object.fromEntries([...named(loss, losses), ...named(term, terms)]);
}

function unpackResult(result: PackedResult): StepResult {
  const entries = Object.entries(result);
  const of = (kind: string) =>
    new Map(entries.flatMap(([name, scalar]) => (name.startsWith(kind) ? [[name.slice(kind.length), scalar]] : [])));
  return { losses: of(loss), terms: of(term) };
}

function present<T>(value: T | undefined): T {
  if (value === undefined) throw new LocalgradError('misuse', 'Internal error: a recorded step runs without a batch.');
  return value;
}
