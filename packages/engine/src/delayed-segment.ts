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
import { createExecutor, type ExecutorOptions } from './executor.js';
import type { GradientDelay, Segment } from './gradient-delay.js';
import { shapeBetween } from './heads.js';
import { partOf } from './part.js';
import type { Instruction } from './schedule.js';
import type { Batch, Executor, StepOptions, StepResult } from './step.js';

/** How a segment runs in a step. */
export interface SegmentMoment {
  readonly clock: Clock;
  /** Random numbers of the blocks and heads in a step. */
  noiseOf(step: number): NonNullable<StepOptions['noise']>;
  /** Receives the output of the segment. Borrowed. */
  onOutput(output: Batch): void;
  /** Receives gradients of the weights of modules and heads, with ownership. */
  onGradients(gradients: readonly ParameterGradient[]): void;
  /** Receives the gradients that leave the segment, by the age with which they arrive. Borrowed. */
  onLeaving(age: number, cotangent: tf.Tensor4D): void;
  /** The gradients that left the next segment in an earlier step; owned by the caller. */
  takeDeparted(step: number): Departed;
}

/** The input and the weights of a segment in an earlier step: enough to compute its gradients again. */
interface EarlierStep {
  readonly input: tf.Tensor4D;
  readonly weights: ReadonlyMap<Parameter, tf.Tensor>;
}

/** One segment with what it keeps of earlier steps. Its weights do not change while it runs. */
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

  /** Computes all gradients of a step: those of its batch, then those that arrive late, the youngest first. */
  run({ images, targets }: Batch, moment: SegmentMoment): StepResult {
    const { clock, onGradients, noiseOf } = moment;
    const { step } = clock;
    const { late } = this.segment;
    this.#moment = moment;
    this.#leavingAge = 1;
    if (late.length > 0) this.#keep(step, images);
    const result = this.#own.step({ images, targets }, { clock, noise: noiseOf(step), onGradients });
    this.#runLate(moment);
    this.#drop(step - this.oldest);
    return result;
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

  /** The ages, and the numbers, of the gradients that leave the next segment in a step. */
  departuresIn(step: number): readonly (readonly [age: number, count: number])[] {
    return this.segment.late
      .filter(({ age }) => this.#earlier.has(this.#stepOf(step + this.#delay.steps, age)))
      .map(({ age, receives }) => [age, receives] as const);
  }

  /** What is kept, by name; borrowed. */
  tensors(): Map<string, tf.Tensor> {
    return new Map(
      [...this.#earlier].flatMap(([step, { input, weights }]): [string, tf.Tensor][] => [
        [`${step}/input`, input],
        ...[...weights].map(([{ name }, value]): [string, tf.Tensor] => [`${step}/weights/${name}`, value]),
      ]),
    );
  }

  /** Replaces what is kept. Takes ownership of the tensors. @throws LocalgradError `invalid-data` */
  load(step: number, tensors: ReadonlyMap<string, tf.Tensor>): void {
    const input = tensors.get('input');
    const shape = shapeBetween(this.#compiled.network, this.segment.range[0] - 1);
    const stored = [...this.weights].map((parameter) => [parameter, tensors.get(`weights/${parameter.name}`)] as const);
    const wrong = stored.find(([parameter, value]) => value === undefined || !sameShape(value.shape, parameter.shape));
    const isComplete = tensors.size === stored.length + 1;
    if (input === undefined || !sameShape(input.shape.slice(1), shape) || wrong !== undefined || !isComplete) {
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
    this.#earlier.set(step, { input: input as tf.Tensor4D, weights });
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

  #runLate({ clock, noiseOf, onGradients, takeDeparted }: SegmentMoment): void {
    const { step } = clock;
    const due = this.segment.late
      .map((late, index) => ({ late, earlier: this.#earlier.get(this.#stepOf(step, late.age)), index }))
      .filter(({ earlier }) => earlier !== undefined);
    if (due.length === 0) return;
    const departed = takeDeparted(step - this.#delay.steps);
    try {
      for (const { late, earlier, index } of due) {
        if (earlier === undefined) continue;
        this.#arrived = [...get(departed, late.age, 'age')];
        this.#leavingAge = late.age + 1;
        const noise = noiseOf(this.#stepOf(step, late.age));
        const options = { clock, noise, onGradients, updatesStatistics: false, movesAverages: false };
        const batch = { images: earlier.input, targets: {} };
        this.#withWeights(earlier, () => at(this.#late, index, 'executor').step(batch, options));
      }
    } finally {
      for (const cotangents of departed.values()) tf.dispose([...cotangents]);
    }
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

  #keep(step: number, input: tf.Tensor4D): void {
    this.#drop(step);
    const weights = [...this.weights].map((parameter) => [parameter, tf.keep(parameter.value.clone())] as const);
    this.#earlier.set(step, { input: tf.keep(input.clone()), weights: new Map(weights) });
  }

  #drop(step: number): void {
    const earlier = this.#earlier.get(step);
    if (earlier === undefined) return;
    tf.dispose([earlier.input, ...earlier.weights.values()]);
    this.#earlier.delete(step);
  }
}

/** A part of a plan with another schedule in its only phase. */
function withSchedule(part: CompiledPlan, schedule: readonly Instruction[]): CompiledPlan {
  const heads = part.heads.size === 0 ? new Map() : part.phases[0].heads;
  const phase = { ...part.phases[0], heads, schedule };
  return { ...part, phases: [phase], phaseAt: () => phase };
}
