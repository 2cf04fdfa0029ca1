import { at, type JsonObject, type JsonValue } from '@localgrad/core';
import { type AsynchronousOptions, resolveAsynchronous } from './options.js';
import { type BufferRules, bufferStateOf, ReplayBuffer, readRandom } from './replay-buffer.js';
import { countsOf, listOf, objectOf } from './stored-state.js';
import { nextTurn, type TurnRules } from './turns.js';

/** Options of `AsynchronousSchedule`. */
export interface ScheduleOptions extends AsynchronousOptions {
  /** Number of modules. */
  readonly modules: number;
  /** Seed of random orders and samplings. Default 0. */
  readonly seed?: number;
}

/** A module trains on one batch. */
export interface Turn {
  /** Index of the module. */
  readonly module: number;
  /** Slot of the previous module's buffer that it reads; undefined for the first module, which reads the data. */
  readonly read: number | undefined;
  /** Slot of its own buffer that its output goes to; undefined for the last module that trains. */
  readonly write: number | undefined;
  /** Number of times that the module has trained before in the same round. */
  readonly repetition: number;
  /** Index of the batch of data that it trains on, from 0. */
  readonly batch: number;
}

/**
 * Decides which module trains when, on which stored batch. Pure and deterministic: training executes its turns, and
 * descriptions count them.
 *
 * Time is divided into rounds. A round begins when the first module trains on a new batch, and contains the turns of the other
 * modules until the first module's next one.
 */
export class AsynchronousSchedule {
  readonly #turnRules: TurnRules;
  readonly #bufferRules: BufferRules;
  readonly #turns: number[];
  #buffers: ReplayBuffer[];
  /** Index of the batch in each slot, by module. */
  #batches: number[][];

  constructor(options: ScheduleOptions) {
    const { modules, seed = 0, ...given } = options;
    const { bufferSize, sampling, maxReuse, order, slow } = resolveAsynchronous(given, modules);
    this.#turnRules = { modules, seed, order, slow };
    this.#bufferRules = { bufferSize, sampling, maxReuse };
    this.#turns = Array.from({ length: modules }, () => 0);
    this.#buffers = Array.from({ length: modules - 1 }, () => new ReplayBuffer(this.#bufferRules));
    this.#batches = Array.from({ length: modules - 1 }, () => []);
  }

  /**
   * The turns of one round. Each is decided when the previous one has been taken, so take them all.
   *
   * @param isActive whether a module runs at all in this phase of training; others skip their turns
   */
  *round(isActive: (module: number) => boolean = () => true): Generator<Turn> {
    const taken = this.#turns.map(() => 0);
    do {
      const module = nextTurn(this.#turnRules, this.#turns);
      const turn = isActive(module) ? this.#take(module, isActive(module + 1)) : undefined;
      this.#turns[module] = at(this.#turns, module, 'module') + 1;
      if (turn === undefined) continue;
      const repetition = at(taken, module, 'module');
      taken[module] = repetition + 1;
      yield { ...turn, repetition };
    } while (nextTurn(this.#turnRules, this.#turns) !== 0);
  }

  /** The state as JSON, from which `restore` continues. */
  state(): JsonObject {
    return {
      turns: [...this.#turns],
      buffers: this.#buffers.map((buffer, index) => {
        return { ...buffer.state(), batches: [...at(this.#batches, index, 'buffer')] };
      }),
    };
  }

  /** @throws LocalgradError `invalid-data` where the state belongs to another schedule; nothing is changed in that case */
  restore(state: JsonValue): void {
    const { turns, buffers } = objectOf(state);
    const { modules } = this.#turnRules;
    const newTurns = countsOf(turns, modules);
    const stored = listOf(buffers, modules - 1).map(objectOf);
    const states = stored.map((one) => bufferStateOf(one, this.#bufferRules));
    const newBatches = stored.map(({ batches }, index) => countsOf(batches, at(states, index, 'buffer').reads.length));
    this.#turns.splice(0, modules, ...newTurns);
    this.#buffers = states.map((one) => new ReplayBuffer(this.#bufferRules, one));
    this.#batches = newBatches;
  }

  /**
   * The module's turn; undefined if it has nothing to read.
   *
   * @param isRead whether the next module trains in this phase, too
   */
  #take(module: number, isRead: boolean): Omit<Turn, 'repetition'> | undefined {
    const read = module === 0 ? undefined : this.#read(module - 1);
    if (module > 0 && read === undefined) return undefined;
    const batch =
      read === undefined ? at(this.#turns, 0, 'module') : at(at(this.#batches, module - 1, 'buffer'), read, 'slot');
    const write = isRead ? this.#buffers[module]?.write() : undefined;
    if (write !== undefined) at(this.#batches, module, 'buffer')[write] = batch;
    return { module, read, write, batch };
  }

  #read(buffer: number): number | undefined {
    const { seed } = this.#turnRules;
    const turn = at(this.#turns, buffer + 1, 'module');
    return at(this.#buffers, buffer, 'buffer').read(() => readRandom(seed, buffer, turn));
  }
}
