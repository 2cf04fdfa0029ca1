import { at, LocalgradError, type ParameterGradient } from '@localgrad/core';
import * as tf from '@tensorflow/tfjs';
import { GradientBuffer, splitBatch } from './accumulation.js';
import { DelayedSegment, type SegmentMoment } from './delayed-segment.js';
import { type Departed, DepartedGradients } from './departed-gradients.js';
import { updateWeights } from './end-step.js';
import type { GradientDelay } from './gradient-delay.js';
import type { PartMoment, PartStep, PartStepOptions } from './part-step.js';
import type { Batch, StepMemory, StepResult } from './step.js';

/** Runs the segments of a plan, or of a part of it, between which gradients are late. */
export class DelayedStep implements PartStep {
  readonly memory: StepMemory = {
    values: () => ({}),
    tensors: () => this.#tensors(),
    load: (_, tensors) => this.#load(tensors),
  };
  readonly #options: PartStepOptions;
  readonly #delay: GradientDelay;
  readonly #segments: readonly DelayedSegment[];
  /** Gradients on their way to each segment. */
  readonly #departed: readonly DepartedGradients[];
  /** The last step, and the last one whose gradients another part has sent. */
  #step = Number.NEGATIVE_INFINITY;
  #received: number | undefined;

  /** @throws LocalgradError `invalid-option` */
  constructor(options: PartStepOptions, delay: GradientDelay) {
    const { compiled, accumulate = 1, onHead } = options;
    if (accumulate > 1) throw onlyWhole(accumulate);
    this.#options = options;
    this.#delay = delay;
    const links = onHead === undefined ? {} : { onHead };
    this.#segments = delay.segments.map((segment) => new DelayedSegment(compiled, delay, segment, links));
    this.#departed = delay.segments.map(() => new DepartedGradients());
  }

  run(batch: Parameters<PartStep['run']>[0], moment: PartMoment): StepResult {
    const parts = splitBatch(batch, 1);
    if (parts.length > 1) throw onlyWhole(parts.length);
    return at(parts, 0, 'batch').with((whole) => this.#run(whole, moment));
  }

  settle(): void {
    this.#receiveUntil(this.#step);
  }

  dispose(): void {
    for (const kept of [...this.#segments, ...this.#departed]) kept.dispose();
    this.#step = Number.NEGATIVE_INFINITY;
    this.#received = undefined;
  }

  #run(batch: Batch, moment: PartMoment): StepResult {
    const { optimizer } = this.#options;
    const { clock, learningRate } = moment;
    const update = (gradients: readonly ParameterGradient[]) => {
      if (gradients.length > 0) updateWeights(optimizer, gradients, { clock, learningRate });
    };
    this.#step = clock.step;
    this.#received ??= clock.step - 1;
    const whole = new GradientBuffer();
    const inputs = [batch.images];
    const results: StepResult[] = [];
    try {
      this.#segments.forEach((segment, index) => {
        const gradients = new GradientBuffer();
        const input = { ...batch, images: at(inputs, index, 'input') };
        const { needsWholeStep } = optimizer;
        const onGradients = gradientsOf(segment, gradients, needsWholeStep === true ? whole : undefined, update);
        try {
          results.push(segment.run(input, this.#momentOf(index, moment, { onGradients, inputs })));
          update(gradients.takeAll());
        } finally {
          gradients.dispose();
        }
        if (index > 0) input.images.dispose();
      });
      update(whole.takeAll());
    } finally {
      whole.dispose();
      tf.dispose(inputs.slice(1));
    }
    return {
      losses: new Map(results.flatMap(({ losses }) => [...losses])),
      terms: new Map(results.flatMap(({ terms }) => [...terms])),
    };
  }

  #momentOf(
    index: number,
    { clock }: PartMoment,
    { onGradients, inputs }: Pick<SegmentMoment, 'onGradients'> & { readonly inputs: tf.Tensor4D[] },
  ): SegmentMoment {
    const { seed = 0, onOutput, crossings } = this.#options;
    const isLast = index === this.#segments.length - 1;
    return {
      clock,
      onGradients,
      noiseOf: (step) => ({ seed, step, part: 0 }),
      onOutput: (output) => {
        if (isLast) onOutput?.(output);
        else inputs.push(tf.keep(output.images.clone()));
      },
      onLeaving: (age, gradient) => {
        if (index > 0) at(this.#departed, index - 1, 'segment').add(clock.step, age, gradient.clone());
        else if (crossings !== undefined) crossings.send(gradient);
        else throw notConnected();
      },
      takeDeparted: (step): Departed => {
        if (isLast) this.#receiveUntil(step);
        return at(this.#departed, index, 'segment').take(step);
      },
    };
  }

  /** Receives the gradients for the last segment that another part has sent up to a step. */
  #receiveUntil(step: number): void {
    const [segment, departed] = [this.#segments.at(-1), this.#departed.at(-1)];
    if (segment === undefined || departed === undefined || this.#received === undefined) return;
    const { crossings } = this.#options;
    while (this.#received < step) {
      this.#received++;
      for (const [age, count] of segment.departuresIn(this.#received)) {
        for (let index = 0; index < count; index++) {
          if (crossings === undefined) throw notConnected();
          departed.add(this.#received, age, crossings.receive());
        }
      }
    }
  }

  #tensors(): Map<string, tf.Tensor> {
    return new Map(
      this.#segments.flatMap((segment, index) =>
        [...segment.tensors(), ...at(this.#departed, index, 'segment').tensors()].map(
          ([name, tensor]) => [`${segment.first}/${name}`, tensor] as const,
        ),
      ),
    );
  }

  /** Takes ownership of the tensors. */
  #load(tensors: ReadonlyMap<string, tf.Tensor>): void {
    this.dispose();
    const all = parseKept(tensors);
    this.#segments.forEach((segment, index) => {
      const steps = all.get(segment.first) ?? new Map<number, KeptTensors>();
      all.delete(segment.first);
      const departed = at(this.#departed, index, 'segment');
      for (const [step, { values, gradients }] of steps) {
        if (values.size > 0) segment.load(step, values);
        for (const { age, gradient } of gradients) departed.add(step, age, gradient);
      }
      checkArrivals(segment, departed, this.#delay.steps);
    });
    const [unknown] = all.keys();
    if (unknown !== undefined) throw mismatch(`no gradients arrive late at module ${unknown}`);
  }
}

/** What a segment keeps of one step. */
interface KeptTensors {
  readonly values: Map<string, tf.Tensor>;
  readonly gradients: { readonly age: number; readonly gradient: tf.Tensor4D }[];
}

/** Tensors by first module of a segment, and by step. */
function parseKept(tensors: ReadonlyMap<string, tf.Tensor>): Map<number, Map<number, KeptTensors>> {
  const all = new Map<number, Map<number, KeptTensors>>();
  for (const [name, tensor] of tensors) {
    const [, module, step, rest = ''] = /^(\d+)\/(\d+)\/(.+)$/.exec(name) ?? [];
    if (module === undefined || step === undefined) throw mismatch(`'${name}' does not exist in this run`);
    const steps = all.get(Number(module)) ?? new Map<number, KeptTensors>();
    all.set(Number(module), steps);
    const kept = steps.get(Number(step)) ?? { values: new Map<string, tf.Tensor>(), gradients: [] };
    steps.set(Number(step), kept);
    const [, age] = /^gradients\/(\d+)\//.exec(rest) ?? [];
    if (age === undefined) kept.values.set(rest, tensor);
    else kept.gradients.push({ age: Number(age), gradient: tensor as tf.Tensor4D });
  }
  return all;
}

/** @throws LocalgradError `invalid-data` unless all gradients are there that will be used */
function checkArrivals(segment: DelayedSegment, departed: DepartedGradients, delay: number): void {
  const { newest } = segment;
  if (newest === undefined) return;
  for (let step = newest - delay + 1; step <= newest; step++) {
    for (const [age, count] of segment.departuresIn(step)) {
      if (departed.count(step, age) === count) continue;
      throw mismatch(`module ${segment.first} needs ${count} gradients of age ${age} of step ${step}`);
    }
  }
}

function mismatch(problem: string): LocalgradError {
  return new LocalgradError(
    'invalid-data',
    `The checkpoint belongs to another network, method or delay of gradients: ${problem}.`,
  );
}

function notConnected(): LocalgradError {
  return new LocalgradError('misuse', 'A gradient leaves a part of a plan: use crossings.');
}

/** A step whose gradients are delayed keeps the batches of earlier steps whole. */
function onlyWhole(accumulate: number): LocalgradError {
  return new LocalgradError(
    'invalid-option',
    `train step: 'accumulate' is ${accumulate}, but gradients are delayed; allowed: 1.`,
    { option: 'accumulate', value: accumulate },
  );
}

/** Passes on the gradients of a segment: those of weights that receive late ones too wait for these. */
function gradientsOf(
  segment: DelayedSegment,
  held: GradientBuffer,
  whole: GradientBuffer | undefined,
  update: (gradients: readonly ParameterGradient[]) => void,
): SegmentMoment['onGradients'] {
  if (whole !== undefined) return (gradients) => whole.add(gradients);
  if (segment.segment.late.length === 0) return update;
  return (gradients) => {
    const isHeld = ({ parameter }: ParameterGradient) => segment.weights.has(parameter);
    held.add(gradients.filter(isHeld));
    update(gradients.filter((one) => !isHeld(one)));
  };
}
