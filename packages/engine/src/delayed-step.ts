import { at, LocalgradError } from '@localgrad/core';
import * as tf from '@tensorflow/tfjs';
import { accumulateResults, type MicroBatch, runEach, splitBatch } from './accumulation.js';
import { DelayedSegment, type SegmentMoment } from './delayed-segment.js';
import { type Departed, DepartedGradients } from './departed-gradients.js';
import { updateWeights } from './end-step.js';
import type { GradientDelay } from './gradient-delay.js';
import type { PartMoment, PartStep, PartStepOptions } from './part-step.js';
import type { Batch, StepMemory, StepResult } from './step.js';
import { StepGradients } from './step-gradients.js';

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

  constructor(options: PartStepOptions, delay: GradientDelay) {
    const { compiled, onHead } = options;
    this.#options = options;
    this.#delay = delay;
    const links = onHead === undefined ? {} : { onHead };
    this.#segments = delay.segments.map((segment) => new DelayedSegment(compiled, delay, segment, links));
    this.#departed = delay.segments.map(() => new DepartedGradients());
  }

  run(batch: Parameters<PartStep['run']>[0], moment: PartMoment): StepResult {
    const parts = splitBatch(batch, this.#options.accumulate ?? 1);
    this.#step = moment.clock.step;
    this.#received ??= moment.clock.step - 1;
    const gradients = this.#gradientsOfStep(moment);
    try {
      const results = runEach(parts, (images, micro) => this.#runMicroBatch(images, micro, gradients, moment));
      gradients.end();
      return accumulateResults(results);
    } finally {
      gradients.dispose();
    }
  }

  settle(): void {
    this.#receiveUntil(this.#step);
  }

  dispose(): void {
    for (const kept of [...this.#segments, ...this.#departed]) kept.dispose();
    this.#step = Number.NEGATIVE_INFINITY;
    this.#received = undefined;
  }

  #gradientsOfStep({ clock, learningRate }: PartMoment): StepGradients {
    const { optimizer } = this.#options;
    return new StepGradients(this.#segments, optimizer.needsWholeStep === true, (gradients) =>
      updateWeights(optimizer, gradients, { clock, learningRate }),
    );
  }

  #runMicroBatch(batch: Batch, micro: MicroBatch, gradients: StepGradients, moment: PartMoment): StepResult {
    const inputs = [batch.images];
    const results: StepResult[] = [];
    try {
      this.#segments.forEach((segment, index) => {
        const input = { ...batch, images: at(inputs, index, 'input') };
        const onGradients = gradients.receiverOf(index, micro.isLast);
        const now = this.#momentOf(index, moment, micro, { onGradients, inputs });
        results.push(segment.runOwn(input, now));
        if (micro.isLast) {
          segment.runLate(now);
          gradients.endSegment(index);
        }
        if (index > 0) input.images.dispose();
      });
    } finally {
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
    { part, isLast: movesAverages, scale }: MicroBatch,
    { onGradients, inputs }: Pick<SegmentMoment, 'onGradients'> & { readonly inputs: tf.Tensor4D[] },
  ): SegmentMoment {
    const { seed = 0, onOutput, crossings } = this.#options;
    const isLast = index === this.#segments.length - 1;
    return {
      ...{ clock, part, scale, movesAverages, onGradients },
      noiseOf: (step, micro) => ({ seed, step, part: micro }),
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
      for (const [age, samples] of segment.departuresIn(this.#received)) {
        for (const count of samples) {
          if (crossings === undefined) throw notConnected();
          departed.add(this.#received, age, crossings.receive(count));
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
    for (const [age, { length }] of segment.departuresIn(step)) {
      if (departed.count(step, age) === length) continue;
      throw mismatch(`module ${segment.first} needs ${length} gradients of age ${age} of step ${step}`);
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
