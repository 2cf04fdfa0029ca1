import { at, type Clock, clockAt, LocalgradError, type Span } from '@localgrad/core';
import { type Batch, type CompiledPlan, createPartStep, endStep, type PartStep, partOf } from '@localgrad/engine';
import * as tf from '@tensorflow/tfjs';
import type { WorkerPlan } from '../part-worker.js';

/** How long groups are timed. */
export interface TimingLimits {
  /** Seconds after which no further step begins, once there is one to report. Default 3. */
  readonly seconds?: number;
  /** Most steps. Default 60: code is optimized while it runs. */
  readonly steps?: number;
}

/** What is timed. */
export interface TimedWork extends WorkerPlan {
  /** Groups of modules, which together contain every module, in order. */
  readonly groups: readonly Span[];
  /** A batch of the run; borrowed. */
  readonly batch: Batch;
  /** Micro-batches per step. */
  readonly accumulate: number;
  readonly limits?: TimingLimits;
}

/**
 * Trains each group of modules on its own for a few steps, one group after the other, on the current backend. Weights do not
 * change, because the learning rate is 0; statistics and averages do.
 *
 * @returns least seconds of a step of each group: forward pass, heads, backward pass and update, in the phase of training in
 *   which they take longest
 */
export function timeGroups(work: TimedWork): number[] {
  const { compiled, groups } = work;
  const times = clocksOf(compiled).map((clock) => timePhase(work, clock));
  return groups.map((_, group) => Math.max(...times.map((seconds) => at(seconds, group, 'group'))));
}

/** The first moment of each phase. */
function clocksOf(compiled: CompiledPlan): Clock[] {
  const moments = 1000;
  const clocks = new Map<unknown, Clock>();
  for (let step = 0; step < moments; step++) {
    const clock = clockAt(step, 1, moments);
    const phase = compiled.phaseAt(clock);
    if (!clocks.has(phase)) clocks.set(phase, clock);
  }
  return [...clocks.values()];
}

function timePhase(work: TimedWork, clock: Clock): number[] {
  const groups = work.groups.map((range) => new TimedGroup(work, range));
  try {
    return timeSteps(groups, work, clock);
  } finally {
    for (const group of groups) group.dispose();
  }
}

function timeSteps(groups: readonly TimedGroup[], { compiled, batch, limits = {} }: TimedWork, clock: Clock): number[] {
  const { seconds = 3, steps = 60 } = limits;
  const { gradientDelay } = compiled;
  // Late gradients are those of the batches of earlier steps: until all of them arrive, steps have less to do.
  const incomplete = gradientDelay === undefined ? 0 : gradientDelay.steps * gradientDelay.cuts.length;
  const start = performance.now();
  const elapsed = () => (performance.now() - start) / 1000;
  let taken = 0;
  const next = () => {
    const now = gradientDelay === undefined ? clock : clockAt(taken, 1, incomplete + steps + 1);
    taken++;
    return timeStep(groups, batch, now);
  };
  while (taken < incomplete) {
    if (elapsed() > seconds) {
      throw new LocalgradError(
        'misuse',
        `Gradients arrive ${incomplete} steps late, of which ${taken} took ${seconds} s.`,
      );
    }
    next();
  }
  // The first step compiles and allocates; but one that takes this long says enough.
  const first = next();
  if (elapsed() > seconds) return first;
  let least = groups.map(() => Number.POSITIVE_INFINITY);
  for (let step = 0; step < steps && (step === 0 || elapsed() < seconds); step++) {
    const times = next();
    // Other programs only ever add time.
    least = least.map((value, group) => Math.min(value, at(times, group, 'group')));
  }
  return least;
}

/** Seconds of one step of each group; 0 for groups that the phase does not reach. */
function timeStep(groups: readonly TimedGroup[], batch: Batch, clock: Clock): number[] {
  let inputs: readonly Batch[] | Batch = batch;
  let owned: readonly Batch[] = [];
  const seconds: number[] = [];
  try {
    for (const group of groups) {
      if (Array.isArray(inputs) && inputs.length === 0) seconds.push(0);
      else {
        const step = group.run(inputs, clock);
        seconds.push(step.seconds);
        disposeAll(owned);
        inputs = owned = step.outputs;
      }
    }
    return seconds;
  } finally {
    disposeAll(owned);
  }
}

function disposeAll(batches: readonly Batch[]): void {
  for (const { images, targets } of batches) tf.dispose([images, ...Object.values(targets)]);
}

class TimedGroup {
  readonly #part: CompiledPlan;
  readonly #step: PartStep;
  #outputs: Batch[] = [];

  constructor({ compiled, optimizer, accumulate }: TimedWork, range: Span) {
    this.#part = partOf(compiled, range);
    this.#step = createPartStep({
      ...{ compiled: this.#part, optimizer, accumulate },
      onOutput: (output) => void this.#outputs.push(copyOf(output)),
      // Gradients of later modules take the same time, whatever their values are.
      crossings: { send: () => {}, receive: (samples) => this.#zeros(samples) },
    });
  }

  /** @param inputs borrowed @returns outputs that the caller owns */
  run(inputs: readonly Batch[] | Batch, clock: Clock): { readonly seconds: number; readonly outputs: Batch[] } {
    this.#outputs = [];
    const start = performance.now();
    const { losses, terms } = this.#step.run(inputs, { clock, learningRate: 0 });
    for (const scalar of [...losses.values(), ...terms.values()]) {
      // Waits for backends that work in the background.
      scalar.dataSync();
      scalar.dispose();
    }
    endStep(this.#part, clock, () => true);
    return { seconds: (performance.now() - start) / 1000, outputs: this.#outputs };
  }

  dispose(): void {
    this.#step.dispose?.();
  }

  /** A gradient of the group's output. */
  #zeros(samples: number): tf.Tensor4D {
    const { network, range } = this.#part;
    return tf.zeros([samples, ...at(network.modules, range[1], 'module').outputShape]);
  }
}

function copyOf({ images, targets }: Batch): Batch {
  const copies = Object.entries(targets).flatMap(([name, target]) =>
    target === undefined ? [] : [[name, tf.keep(target.clone())] as const],
  );
  return { images: tf.keep(images.clone()), targets: Object.fromEntries(copies) };
}
