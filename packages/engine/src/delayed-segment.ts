import {
  at,
  type Clock,
  get,
  LocalgradError,
  type Parameter,
  type ParameterGradient,
  sameShape,
} from '@localgrad/core';
import * as tf from '@tensorflow/tfjs';
import type { CompiledPlan } from './compile.js';
import type { Departed } from './departed-gradients.js';
import { createExecutor } from './executor.js';
import type { ExecutorOptions } from './executor-options.js';
import type { GradientDelay, LateBackward, Segment } from './gradient-delay.js';
import { shapeBetween } from './heads.js';
import { partOf } from './part.js';
import type { Instruction } from './schedule.js';
import type { Batch, Executor, StepOptions, StepResult } from './step.js';

/** How a segment runs on a micro-batch of a step. */
export interface SegmentMoment extends Pick<StepOptions, 'scale' | 'movesAverages'> {
  readonly clock: Clock;
  /** Index of the micro-batch. */
  readonly part: number;
  /** Random numbers of the blocks and heads in a micro-batch of a step. */
  noiseOf(step: number, part: number): NonNullable<StepOptions['noise']>;
  /** Receives the output of the segment. Borrowed. */
  onOutput(output: Batch): void;
  /** Receives gradients of the weights of modules and heads, with ownership. */
  onGradients(gradients: readonly ParameterGradient[]): void;
  /** Receives the gradients that leave the segment, by the age with which they arrive. Borrowed. */
  onLeaving(age: number, cotangent: tf.Tensor4D): void;
  /** The gradients that left the next segment in an earlier step; owned by the caller. */
  takeDeparted(step: number): Departed;
}

/** The inputs and the weights of a segment in an earlier step: enough to compute its gradients again. */
interface EarlierStep {
  /** By micro-batch. */
  readonly inputs: tf.Tensor4D[];
  readonly weights: ReadonlyMap<Parameter, tf.Tensor>;
}

/** Gradients of an earlier step that arrive late. */
interface LateRun {
  readonly late: LateBackward;
  readonly earlier: EarlierStep;
  /** By micro-batch; borrowed. */
  readonly arrived: readonly tf.Tensor4D[];
  readonly executor: Executor;
}

/** One segment with what it keeps of earlier steps. Its weights do not change before `runLate` has ended. */
export class DelayedSegment {
  readonly segment: Segment;
  /** Weights of the segment's modules. */
  readonly weights: ReadonlySet<Parameter>;
  readonly #delay: GradientDelay;
  readonly #compiled: CompiledPlan;
  readonly #own: Executor;
  readonly #late: readonly Executor[];
  readonly #earlier = new Map<number, EarlierStep>();
  #moment: SegmentMoment | undefined;
  /** Gradients that the running late backward has not used, and the age of those that leave now. */
  #arrived: tf.Tensor4D[] = [];
  #leavingAge = 1;

  constructor(compiled: CompiledPlan, delay: GradientDelay, segment: Segment, links: Pick<ExecutorOptions, 'onHead'>) {
    this.segment = segment;
    this.#delay = delay;
    this.#compiled = compiled;
    const [first, last] = segment.range;
    const blocks = compiled.moduleBlocks.slice(first, last + 1).flat();
    const weights = blocks.flatMap(({ parameters }) => parameters).filter(({ kind }) => kind === 'weight');
    this.weights = new Set(weights);
    const whole = partOf({ ...compiled, gradientDelay: undefined }, segment.range);
    const crossings = {
      send: (cotangent: tf.Tensor4D) => this.#now.onLeaving(this.#leavingAge, cotangent),
      receive: () => this.#nextArrived(),
    };
    this.#own = createExecutor(withSchedule(whole, segment.schedule), {
      ...links,
      crossings,
      onOutput: (output) => this.#now.onOutput(output),
    });
    this.#late = segment.late.map(({ schedule }) =>
      createExecutor(withSchedule({ ...whole, heads: new Map() }, schedule), { crossings }),
    );
  }

  /** Computes the gradients of a micro-batch of the step's own losses. */
  runOwn({ images, targets }: Batch, moment: SegmentMoment): StepResult {
    const { clock, part, noiseOf, onOutput: _, onLeaving: __, takeDeparted: ___, ...options } = moment;
    const { step } = clock;
    this.#moment = moment;
    this.#leavingAge = 1;
    if (this.segment.late.length > 0) this.#keep(step, part, images);
    return this.#own.step({ images, targets }, { ...options, clock, noise: noiseOf(step, part) });
  }

  /** Computes the gradients that arrive late in a step, the youngest first; after its last micro-batch. */
  runLate(moment: SegmentMoment): void {
    const { step } = moment.clock;
    const due = this.segment.late
      .map((late, index) => ({ late, earlier: this.#earlier.get(this.#stepOf(step, late.age)), index }))
      .filter(({ earlier }) => earlier !== undefined);
    this.#moment = moment;
    if (due.length > 0) {
      const departed = moment.takeDeparted(step - this.#delay.steps);
      try {
        for (const { late, earlier, index } of due) {
          if (earlier === undefined) continue;
          const arrived = get(departed, late.age, 'age');
          this.#runEarlier({ late, earlier, arrived, executor: at(this.#late, index, 'executor') }, moment);
        }
      } finally {
        for (const cotangents of departed.values()) tf.dispose([...cotangents]);
      }
    }
    this.#drop(step - this.oldest);
  }

  /** Index of the first module. */
  get first(): number {
    return this.segment.range[0];
  }

  /** The last step that is kept. */
  get newest(): number | undefined {
    return this.#earlier.size === 0 ? undefined : Math.max(...this.#earlier.keys());
  }

  /** Number of steps between a step and that of the oldest gradient that arrives in it. */
  get oldest(): number {
    return this.#delay.steps * Math.max(0, ...this.segment.late.map(({ age }) => age));
  }

  /** The gradients that leave the next segment in a step, in order: their ages, and the number of samples of each. */
  departuresIn(step: number): readonly (readonly [age: number, samples: readonly number[]])[] {
    return this.segment.late.flatMap(({ age, receives }) => {
      const earlier = this.#earlier.get(this.#stepOf(step + this.#delay.steps, age));
      if (earlier === undefined) return [];
      const samples = earlier.inputs.flatMap(({ shape }) => new Array<number>(receives).fill(shape[0]));
      return [[age, samples] as const];
    });
  }

  /** What is kept, by name; borrowed. */
  tensors(): Map<string, tf.Tensor> {
    return new Map(
      [...this.#earlier].flatMap(([step, { inputs, weights }]): [string, tf.Tensor][] => [
        ...inputs.map((input, part): [string, tf.Tensor] => [`${step}/${inputName(part)}`, input]),
        ...[...weights].map(([{ name }, value]): [string, tf.Tensor] => [`${step}/weights/${name}`, value]),
      ]),
    );
  }

  /** Replaces what is kept. Takes ownership of the tensors. @throws LocalgradError `invalid-data` */
  load(step: number, tensors: ReadonlyMap<string, tf.Tensor>): void {
    const inputs = inputsIn(tensors);
    const shape = shapeBetween(this.#compiled.network, this.segment.range[0] - 1);
    const stored = [...this.weights].map((parameter) => [parameter, tensors.get(`weights/${parameter.name}`)] as const);
    const wrong = stored.find(([parameter, value]) => value === undefined || !sameShape(value.shape, parameter.shape));
    const isComplete = inputs.length > 0 && tensors.size === stored.length + inputs.length;
    const isInput = inputs.every((input) => sameShape(input.shape.slice(1), shape));
    if (!isInput || wrong !== undefined || !isComplete) {
      const what = wrong === undefined ? 'its input' : `'${wrong[0].name}'`;
      throw new LocalgradError(
        'invalid-data',
        `The checkpoint belongs to another network or delay of gradients: of step ${step}, module ${this.segment.range[0]} needs ${what}.`,
        { step, module: this.segment.range[0] },
      );
    }
    const weights = new Map(
      stored.map(([parameter]) => [parameter, get(tensors, `weights/${parameter.name}`, 'tensor')]),
    );
    for (const tensor of tensors.values()) tf.keep(tensor);
    this.#earlier.set(step, { inputs, weights });
  }

  dispose(): void {
    for (const step of [...this.#earlier.keys()]) this.#drop(step);
  }

  get #now(): SegmentMoment {
    if (this.#moment === undefined) throw new LocalgradError('misuse', 'A segment runs in steps only.');
    return this.#moment;
  }

  #stepOf(step: number, age: number): number {
    return step - age * this.#delay.steps;
  }

  #runEarlier({ late, earlier, arrived, executor }: LateRun, { clock, noiseOf, onGradients }: SegmentMoment): void {
    this.#leavingAge = late.age + 1;
    const repetition = { clock, onGradients, updatesStatistics: false, movesAverages: false };
    this.#withWeights(earlier, () => {
      earlier.inputs.forEach((images, part) => {
        // Cotangents contain the scale of their micro-batch.
        this.#arrived = arrived.slice(part * late.receives, (part + 1) * late.receives);
        const noise = noiseOf(this.#stepOf(clock.step, late.age), part);
        executor.step({ images, targets: {} }, { ...repetition, noise });
      });
    });
  }

  /** A cotangent for the walk, which disposes it. */
  #nextArrived(): tf.Tensor4D {
    const [next] = this.#arrived.splice(0, 1);
    if (next === undefined) throw new LocalgradError('misuse', 'Fewer gradients arrived than were expected.');
    return next.clone();
  }

  /** Runs `use` while the modules have the weights of an earlier step. */
  #withWeights({ weights }: EarlierStep, use: () => void): void {
    const now = [...weights.keys()].map((parameter) => [parameter, tf.keep(parameter.value.clone())] as const);
    for (const [parameter, value] of weights) parameter.assign(value.clone());
    try {
      use();
    } finally {
      for (const [parameter, value] of now) parameter.assign(value);
    }
  }

  #keep(step: number, part: number, input: tf.Tensor4D): void {
    if (part === 0) this.#drop(step);
    const earlier = this.#earlier.get(step) ?? { inputs: [], weights: this.#copyOfWeights() };
    this.#earlier.set(step, earlier);
    earlier.inputs.push(tf.keep(input.clone()));
  }

  #copyOfWeights(): Map<Parameter, tf.Tensor> {
    return new Map([...this.weights].map((parameter) => [parameter, tf.keep(parameter.value.clone())] as const));
  }

  #drop(step: number): void {
    const earlier = this.#earlier.get(step);
    if (earlier === undefined) return;
    tf.dispose([...earlier.inputs, ...earlier.weights.values()]);
    this.#earlier.delete(step);
  }
}

/** Name of the input of a micro-batch in a checkpoint. */
function inputName(part: number): string {
  return part === 0 ? 'input' : `input/${part}`;
}

function inputsIn(tensors: ReadonlyMap<string, tf.Tensor>): tf.Tensor4D[] {
  const inputs: tf.Tensor4D[] = [];
  for (let input = tensors.get(inputName(0)); input !== undefined; input = tensors.get(inputName(inputs.length))) {
    inputs.push(input as tf.Tensor4D);
  }
  return inputs;
}

/** A part of a plan with another schedule in its only phase. */
function withSchedule(part: CompiledPlan, schedule: readonly Instruction[]): CompiledPlan {
  const heads = part.heads.size === 0 ? new Map() : part.phases[0].heads;
  const phase = { ...part.phases[0], heads, schedule };
  return { ...part, phases: [phase], phaseAt: () => phase };
}
