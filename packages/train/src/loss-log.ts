import { LocalgradError } from '@localgrad/core';
import type { CompiledPlan, StepResult } from '@localgrad/engine';
import * as tf from '@tensorflow/tfjs';
import type { Losses } from './events.js';

/** Mean losses and terms over an interval of steps. */
export interface LossReading {
  readonly losses: Losses;
  readonly terms: Losses;
}

/**
 * Keeps the losses of an interval as tensors and reads them back at once, asynchronously: nothing on the step path waits
 * for the device.
 */
export class LossLog {
  readonly #compiled: CompiledPlan;
  readonly #values = new Map<string, { isTerm: boolean; scalars: tf.Scalar[] }>();
  /** Sums over the epoch, of what has been read. */
  readonly #epoch = new Map<string, { sum: number; count: number }>();
  #firstStep = 0;
  #steps = 0;

  constructor(compiled: CompiledPlan) {
    this.#compiled = compiled;
  }

  /** Steps since the last reading. */
  get steps(): number {
    return this.#steps;
  }

  /** Takes over the scalars of a step. @param step from 1 */
  add(step: number, result: StepResult): void {
    if (this.#steps === 0) this.#firstStep = step;
    this.#steps++;
    this.#keep(result.losses, false);
    this.#keep(result.terms, true);
  }

  /**
   * Reads everything since the last reading: one transfer.
   *
   * @throws LocalgradError `non-finite-loss` that names step, objective and module
   */
  async read(): Promise<LossReading> {
    const entries = [...this.#values];
    this.#values.clear();
    this.#steps = 0;
    const scalars = entries.flatMap(([, { scalars }]) => scalars);
    if (scalars.length === 0) return { losses: {}, terms: {} };
    const stacked = tf.stack(scalars);
    for (const scalar of scalars) scalar.dispose();
    const values = await stacked.data<'float32'>();
    stacked.dispose();

    const losses: Record<string, number> = {};
    const terms: Record<string, number> = {};
    const bad: { id: string; step: number; value: number }[] = [];
    let offset = 0;
    for (const [id, { isTerm, scalars }] of entries) {
      const own = values.subarray(offset, offset + scalars.length);
      offset += scalars.length;
      const sum = own.reduce((total, value) => total + value, 0);
      (isTerm ? terms : losses)[id] = sum / own.length;
      const index = own.findIndex((value) => !Number.isFinite(value));
      if (index >= 0 && !isTerm) bad.push({ id, step: this.#firstStep + index, value: own[index] ?? Number.NaN });
      if (!isTerm) {
        const epoch = this.#epoch.get(id) ?? { sum: 0, count: 0 };
        this.#epoch.set(id, { sum: epoch.sum + sum, count: epoch.count + own.length });
      }
    }
    if (bad.length > 0) throw nonFinite(this.#compiled, bad);
    return { losses, terms };
  }

  /** Mean losses over the epoch so far; starts the next epoch. */
  endEpoch(): Losses {
    const means = Object.fromEntries([...this.#epoch].map(([id, { sum, count }]) => [id, sum / count]));
    this.#epoch.clear();
    return means;
  }

  dispose(): void {
    for (const { scalars } of this.#values.values()) for (const scalar of scalars) scalar.dispose();
    this.#values.clear();
  }

  #keep(scalars: ReadonlyMap<string, tf.Scalar>, isTerm: boolean): void {
    for (const [id, scalar] of scalars) {
      const entry = this.#values.get(id);
      if (entry === undefined) this.#values.set(id, { isTerm, scalars: [scalar] });
      else entry.scalars.push(scalar);
    }
  }
}

/** The earliest step counts, and in it the earliest module: what is not finite there spreads to those after it. */
function nonFinite(
  compiled: CompiledPlan,
  bad: readonly { id: string; step: number; value: number }[],
): LocalgradError {
  const moduleOf = (id: string) => compiled.objectives.find((objective) => objective.id === id)?.span[1] ?? 0;
  const [first] = [...bad].sort((a, b) => a.step - b.step || moduleOf(a.id) - moduleOf(b.id));
  const { id, step, value } = first as { id: string; step: number; value: number };
  const index = moduleOf(id);
  const name = compiled.network.modules[index]?.name ?? '?';
  return new LocalgradError(
    'non-finite-loss',
    `The loss of objective '${id}' on module ${index} ${name} became ${value} at step ${step}. ` +
      'Training is stopped; a lower learning rate or a longer warm-up usually helps.',
    { objective: id, module: index, moduleName: name, step, value },
  );
}
