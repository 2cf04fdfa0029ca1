import { at, LocalgradError } from '@localgrad/core';
import type { CompiledPlan, StepResult } from '@localgrad/engine';
import { gatherScalars } from '@localgrad/kernels';
import * as tf from '@tensorflow/tfjs';
import type { Losses } from './events.js';
import { numberOf, type StoredNumber, storedNumber } from './stored-number.js';

/** Mean losses and terms over a logging interval. */
export interface LossReading {
  readonly losses: Losses;
  readonly terms: Losses;
}

/** State of a log as plain data, so that a resumed epoch ends with the same means. */
export interface LossLogState {
  /** First step of the current logging interval. */
  readonly firstStep: number;
  /** Number of steps in the current logging interval. */
  readonly steps: number;
  /** Values logged since the previous read, in step order. May contain NaN or infinity. */
  readonly pending: readonly {
    /** ID of the objective, or `objective/term`. */
    readonly id: string;
    /** Whether the values belong to a term. */
    readonly isTerm: boolean;
    /** Values in step order. */
    readonly values: readonly StoredNumber[];
  }[];
  /** Sums over the epoch of the values that have been read. */
  readonly epoch: readonly { readonly id: string; readonly sum: number; readonly count: number }[];
}

interface Series {
  readonly isTerm: boolean;
  /** Values already read back for a checkpoint. */
  values: number[];
  /** Values on the device, and the steps that they are of: not every objective has a loss in every step. */
  scalars: { readonly step: number; readonly scalar: tf.Scalar }[];
}

/**
 * Stores the losses of an interval as tensors and reads them back together, asynchronously, so that steps never wait
 * for the device.
 */
export class LossLog {
  readonly #compiled: CompiledPlan;
  readonly #series = new Map<string, Series>();
  readonly #epoch = new Map<string, { sum: number; count: number }>();
  #firstStep = 0;
  #steps = 0;

  constructor(compiled: CompiledPlan, state?: LossLogState) {
    this.#compiled = compiled;
    if (state === undefined) return;
    this.#firstStep = state.firstStep;
    this.#steps = state.steps;
    for (const { id, isTerm, values } of state.pending) {
      this.#series.set(seriesKey(id, isTerm), { isTerm, values: values.map(numberOf), scalars: [] });
    }
    for (const { id, sum, count } of state.epoch) this.#epoch.set(id, { sum, count });
  }

  /** Number of steps since the previous read. */
  get steps(): number {
    return this.#steps;
  }

  /** Takes ownership of a step's scalars. @param step from 1 */
  add(step: number, result: StepResult): void {
    if (this.#steps === 0) this.#firstStep = step;
    this.#steps++;
    this.#keep(step, result.losses, false);
    this.#keep(step, result.terms, true);
  }

  /**
   * Means since the previous read; one transfer from the device.
   *
   * @throws LocalgradError `non-finite-loss` with the step, objective and module
   */
  async read(): Promise<LossReading> {
    await this.#settle();
    const losses: Record<string, number> = {};
    const terms: Record<string, number> = {};
    for (const [key, { isTerm, values }] of this.#series) {
      const id = idOf(key);
      const sum = values.reduce((total, value) => total + value, 0);
      (isTerm ? terms : losses)[id] = sum / values.length;
      if (isTerm) continue;
      const epoch = this.#epoch.get(id) ?? { sum: 0, count: 0 };
      this.#epoch.set(id, { sum: epoch.sum + sum, count: epoch.count + values.length });
    }
    this.#series.clear();
    this.#steps = 0;
    return { losses, terms };
  }

  /** The log's state; does not end the interval. @throws LocalgradError `non-finite-loss` */
  async state(): Promise<LossLogState> {
    await this.#settle();
    return {
      firstStep: this.#firstStep,
      steps: this.#steps,
      pending: [...this.#series].map(([key, { isTerm, values }]) => {
        return { id: idOf(key), isTerm, values: values.map(storedNumber) };
      }),
      epoch: [...this.#epoch].map(([id, { sum, count }]) => ({ id, sum, count })),
    };
  }

  /** Returns the epoch's mean losses, and starts the next epoch. */
  endEpoch(): Losses {
    const means = Object.fromEntries([...this.#epoch].map(([id, { sum, count }]) => [id, sum / count]));
    this.#epoch.clear();
    return means;
  }

  dispose(): void {
    for (const { scalars } of this.#series.values()) tf.dispose(scalars.map(({ scalar }) => scalar));
    this.#series.clear();
  }

  #keep(step: number, scalars: ReadonlyMap<string, tf.Scalar>, isTerm: boolean): void {
    for (const [id, scalar] of scalars) {
      const key = seriesKey(id, isTerm);
      const entry = this.#series.get(key);
      if (entry === undefined) this.#series.set(key, { isTerm, values: [], scalars: [{ step, scalar }] });
      else entry.scalars.push({ step, scalar });
    }
  }

  /** Reads the remaining values from the device. */
  async #settle(): Promise<void> {
    const entries = [...this.#series];
    const scalars = entries.flatMap(([, series]) => series.scalars.map(({ scalar }) => scalar));
    if (scalars.length === 0) return;
    const stacked = gatherScalars(scalars);
    tf.dispose(scalars);
    const steps = entries.map(([, series]) => series.scalars.map(({ step }) => step));
    for (const [, series] of entries) series.scalars = [];
    const read = await stacked.data<'float32'>();
    stacked.dispose();

    const bad: { id: string; step: number; value: number }[] = [];
    let offset = 0;
    entries.forEach(([key, series], index) => {
      const ownSteps = at(steps, index, 'series');
      const own = Array.from(read.subarray(offset, offset + ownSteps.length));
      offset += ownSteps.length;
      series.values.push(...own);
      const position = own.findIndex((value) => !Number.isFinite(value));
      if (position >= 0 && !series.isTerm) {
        bad.push({ id: idOf(key), step: at(ownSteps, position, 'step'), value: at(own, position, 'value') });
      }
    });
    if (bad.length > 0) throw nonFinite(this.#compiled, bad);
  }
}

/** Omits terms if no head reports any. */
export function withoutEmpty({ losses, terms }: LossReading): { losses: Losses; terms?: Losses } {
  return Object.keys(terms).length === 0 ? { losses } : { losses, terms };
}

/** Distinguishes objectives and terms with equal names. */
const seriesKey = (id: string, isTerm: boolean) => `${isTerm ? 'term' : 'loss'}:${id}`;
const idOf = (key: string) => key.slice(5);

/** Reports the earliest step, and its earliest module, because non-finite values propagate to later ones. */
function nonFinite(
  compiled: CompiledPlan,
  bad: readonly { id: string; step: number; value: number }[],
): LocalgradError {
  const moduleOf = (id: string) => compiled.objectives.find((objective) => objective.id === id)?.span[1] ?? 0;
  const sorted = [...bad].sort((a, b) => a.step - b.step || moduleOf(a.id) - moduleOf(b.id));
  const { id, step, value } = at(sorted, 0, 'loss that is not finite');
  const index = moduleOf(id);
  const name = compiled.network.modules[index]?.name ?? '?';
  return new LocalgradError(
    'non-finite-loss',
    `The loss of objective '${id}' on module ${index} ${name} became ${value} at step ${step}. ` +
      'Training was stopped; a lower learning rate or a longer warm-up usually helps.',
    { objective: id, module: index, moduleName: name, step, value },
  );
}
