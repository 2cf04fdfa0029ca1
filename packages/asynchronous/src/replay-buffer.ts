import { at, type JsonObject, type RandomSource } from '@localgrad/core';
import { createRandom } from '@localgrad/nn/random';
import type { AsynchronousOptions } from './options.js';
import { countOf, countsOf } from './stored-state.js';

/** A buffer's rules. */
export type BufferRules = Required<Pick<AsynchronousOptions, 'bufferSize' | 'sampling' | 'maxReuse'>>;

/** State of a replay buffer as plain data. */
export interface ReplayBufferState {
  /** Number of batches written since the start. */
  readonly writes: number;
  /** How often the batch in each slot has been read. */
  readonly reads: readonly number[];
}

/**
 * A ring of slots, each for one batch: decides into which slot a batch is written, and from which one it is read. It stores
 * no batches itself.
 */
export class ReplayBuffer {
  readonly #rules: BufferRules;
  #writes: number;
  readonly #reads: number[];

  constructor(rules: BufferRules, state: ReplayBufferState = { writes: 0, reads: [] }) {
    this.#rules = rules;
    this.#writes = state.writes;
    this.#reads = [...state.reads];
  }

  /** Slot of the next batch, which replaces the oldest one once the buffer is full. */
  write(): number {
    const slot = this.#pointer;
    this.#reads[slot] = 0;
    this.#writes++;
    return slot;
  }

  /**
   * Slot of the batch to read; undefined if none may be read.
   *
   * @param random called if `sampling` needs a random number
   */
  read(random: () => RandomSource): number | undefined {
    const { maxReuse } = this.#rules;
    const readable = [...this.#reads.keys()].filter((slot) => this.#readsOf(slot) <= maxReuse);
    const slot = this.#choose(readable, random);
    if (slot !== undefined) this.#reads[slot] = this.#readsOf(slot) + 1;
    return slot;
  }

  /** The state, from which a buffer with the same rules continues. */
  state(): ReplayBufferState {
    return { writes: this.#writes, reads: [...this.#reads] };
  }

  #choose(slots: readonly number[], random: () => RandomSource): number | undefined {
    switch (this.#rules.sampling) {
      case 'random':
        return slots.length === 0 ? undefined : slots[Math.floor(random().uniform() * slots.length)];
      case 'lifo':
        return highest(slots, (slot) => -this.#age(slot));
      case 'priorityLifo':
        return highest(this.#leastRead(slots), (slot) => -this.#age(slot));
      case 'publishedLifo':
        // Slots behind the pointer count as older than all others, but the slot at the pointer does not.
        return highest(this.#leastRead(slots), (slot) => (slot > this.#pointer ? slot - this.#rules.bufferSize : slot));
    }
  }

  #leastRead(slots: readonly number[]): number[] {
    const least = Math.min(...slots.map((slot) => this.#readsOf(slot)));
    return slots.filter((slot) => this.#readsOf(slot) === least);
  }

  /** Number of batches written after the one in a slot. */
  #age(slot: number): number {
    const { bufferSize } = this.#rules;
    return (this.#pointer - 1 - slot + bufferSize) % bufferSize;
  }

  #readsOf(slot: number): number {
    return at(this.#reads, slot, 'slot');
  }

  get #pointer(): number {
    return this.#writes % this.#rules.bufferSize;
  }
}

/** Random numbers for the read that a module makes in its turn. @param buffer index of the buffer, from the image */
export function readRandom(seed: number, buffer: number, turn: number): RandomSource {
  return createRandom(seed, `read/${buffer}/${turn}`);
}

/** The slot with the highest rank; undefined if there are none. Ranks differ. */
function highest(slots: readonly number[], rank: (slot: number) => number): number | undefined {
  const [first, ...others] = slots;
  if (first === undefined) return undefined;
  return others.reduce((best, slot) => (rank(slot) > rank(best) ? slot : best), first);
}

/** Reads a buffer's state back from JSON. @throws LocalgradError `invalid-data` */
export function bufferStateOf({ writes, reads }: JsonObject, { bufferSize }: BufferRules): ReplayBufferState {
  const count = countOf(writes);
  return { writes: count, reads: countsOf(reads, Math.min(count, bufferSize)) };
}
