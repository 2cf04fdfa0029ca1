import { at, type JsonValue } from '@localgrad/core';
import { countOf, integerOf, listOf, objectOf } from './stored-state.js';

/** How often a module trains, and on which batches. */
export interface ModuleTiming {
  /** Index of the module. */
  readonly module: number;
  /** Updates for each batch of data. */
  readonly updatesPerBatch: number;
  /** Mean age of the batches that it trains on, in batches: 0 if they are the newest. */
  readonly meanAge: number;
  /** Fraction of its updates that train on a batch that it has trained on before. */
  readonly repeated: number;
}

/** What is counted of a turn. */
export interface CountedTurn {
  /** Number of batches that the first module has begun after this one. */
  readonly age: number;
  /** Whether the module has trained on the batch before. */
  readonly isRepeated: boolean;
}

/** Counts the turns of each module. */
export class TurnCounter {
  #counts: { updates: number; ages: number; repeated: number }[];

  /** @param modules number of modules */
  constructor(modules: number) {
    this.#counts = Array.from({ length: modules }, () => ({ updates: 0, ages: 0, repeated: 0 }));
  }

  add(module: number, { age, isRepeated }: CountedTurn): void {
    const count = at(this.#counts, module, 'module');
    count.updates++;
    count.ages += age;
    if (isRepeated) count.repeated++;
  }

  /** Timing of each module. @param batches number of batches of data */
  timing(batches: number): ModuleTiming[] {
    return this.#counts.map(({ updates, ages, repeated }, module) => {
      const mean = (sum: number) => (updates === 0 ? 0 : sum / updates);
      const updatesPerBatch = batches === 0 ? 0 : updates / batches;
      return { module, updatesPerBatch, meanAge: mean(ages), repeated: mean(repeated) };
    });
  }

  /** Number of updates of a module. */
  updatesOf(module: number): number {
    return at(this.#counts, module, 'module').updates;
  }

  /** The state as JSON, from which `restore` continues. */
  state(): JsonValue {
    return this.#counts.map((count) => ({ ...count }));
  }

  /** @throws LocalgradError `invalid-data` where the state belongs to other modules; nothing is changed in that case */
  restore(state: JsonValue | undefined): void {
    const counts = listOf(state, this.#counts.length).map(objectOf);
    this.#counts = counts.map(({ updates, ages, repeated }) => {
      // Negative in checkpoints of versions in which a worker could train on a batch of a step that it had not seen begin.
      return { updates: countOf(updates), ages: integerOf(ages), repeated: countOf(repeated) };
    });
  }
}
