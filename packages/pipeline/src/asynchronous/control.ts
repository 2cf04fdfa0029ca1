/// <reference lib="es2024.sharedmemory" />

import { type Clock, clockAt } from '@localgrad/core';
import { SharedLock } from './shared-lock.js';

/** `run`: train. `rest`: report weights and wait. `end`: end. */
export type Command = 'run' | 'rest' | 'end';
const commands: readonly Command[] = ['run', 'rest', 'end'];

/** The step that the first module has begun last. */
export interface Moment {
  readonly clock: Clock;
  readonly learningRate: number;
}

/** Integers: the lock, the command, events so far, position in the order of turns, and its length; then its turns. */
const lock = 0;
const command = 1;
const events = 2;
const position = 3;
const length = 4;
const firstTurn = 5;
/** Numbers of the moment, in front of the integers. */
const numbers = 4;
const integersAt = numbers * Float64Array.BYTES_PER_ELEMENT;

/** What the workers of asynchronous training and the main program share, besides batches. */
export class SharedControl {
  /** Send this to the workers, and create a control on it there. */
  readonly memory: SharedArrayBuffer;
  readonly #numbers: Float64Array;
  readonly #integers: Int32Array;
  readonly #lock: SharedLock;

  constructor(memory: SharedArrayBuffer) {
    this.memory = memory;
    this.#numbers = new Float64Array(memory, 0, numbers);
    this.#integers = new Int32Array(memory, integersAt);
    this.#lock = new SharedLock(this.#integers, lock);
  }

  /**
   * A control whose command, number 0, is `rest`.
   *
   * @param turns indices of workers: the order in which they train, one at a time; afterwards, and by default, each at its own pace
   */
  static create(turns: readonly number[] = []): SharedControl {
    const words = firstTurn + turns.length;
    const control = new SharedControl(new SharedArrayBuffer(integersAt + words * Int32Array.BYTES_PER_ELEMENT));
    control.#integers.set(turns, firstTurn);
    control.#integers[length] = turns.length;
    // Number 0, which no worker obeys.
    control.#integers[command] = commands.indexOf('rest');
    return control;
  }

  /** Replaces the command. */
  command(kind: Command): void {
    const number = Math.floor(Atomics.load(this.#integers, command) / commands.length) + 1;
    Atomics.store(this.#integers, command, number * commands.length + commands.indexOf(kind));
    this.announce();
  }

  /** The last command, and its number, from 0: a worker obeys each once. */
  get current(): { readonly kind: Command; readonly number: number } {
    const value = Atomics.load(this.#integers, command);
    const kind = commands[value % commands.length] ?? 'end';
    return { kind, number: Math.floor(value / commands.length) };
  }

  /** Number of events so far: commands, batches and turns. */
  get events(): number {
    return Atomics.load(this.#integers, events);
  }

  /** Wakes all workers that wait. */
  announce(): void {
    Atomics.add(this.#integers, events, 1);
    Atomics.notify(this.#integers, events);
  }

  /** Blocks the thread until there are more events than `seen`. @param milliseconds the longest time. Default: no limit */
  wait(seen: number, milliseconds = Number.POSITIVE_INFINITY): void {
    Atomics.wait(this.#integers, events, seen, milliseconds);
  }

  set moment({ clock: { step, steps, epochs }, learningRate }: Moment) {
    this.#lock.hold(() => this.#numbers.set([step, epochs, steps / epochs, learningRate]));
  }

  get moment(): Moment {
    return this.#lock.hold(() => {
      const [step = 0, epochs = 1, stepsPerEpoch = 1, learningRate = 0] = this.#numbers;
      return { clock: clockAt(step, epochs, stepsPerEpoch), learningRate };
    });
  }

  /** Whether the workers take turns in a given order. */
  get hasOrder(): boolean {
    return Atomics.load(this.#integers, position) < Atomics.load(this.#integers, length);
  }

  /** Whether a worker may train now. */
  isTurnOf(worker: number): boolean {
    const next = this.#nextTurn;
    return next === undefined || next === worker;
  }

  /** Whether workers may rest: in a given order between two turns of the first one, and otherwise at any time. */
  get mayRest(): boolean {
    return (this.#nextTurn ?? 0) === 0;
  }

  /** Ends a turn in the given order. */
  endTurn(): void {
    if (!this.hasOrder) return;
    Atomics.add(this.#integers, position, 1);
    this.announce();
  }

  /** The worker whose turn it is; undefined without an order. */
  get #nextTurn(): number | undefined {
    return this.hasOrder ? this.#integers[firstTurn + Atomics.load(this.#integers, position)] : undefined;
  }
}
