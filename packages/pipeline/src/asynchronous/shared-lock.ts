/// <reference lib="es2024.sharedmemory" />

const open = 0;
const locked = 1;

/** A lock between threads, on one integer of shared memory that starts with 0. For work that takes no longer than copying a batch. */
export class SharedLock {
  readonly #words: Int32Array;
  readonly #index: number;

  constructor(words: Int32Array, index: number) {
    this.#words = words;
    this.#index = index;
  }

  /** Runs `act` while no other thread has the lock. */
  hold<Result>(act: () => Result): Result {
    while (Atomics.compareExchange(this.#words, this.#index, open, locked) === locked) {
      Atomics.wait(this.#words, this.#index, locked);
    }
    try {
      return act();
    } finally {
      Atomics.store(this.#words, this.#index, open);
      Atomics.notify(this.#words, this.#index, 1);
    }
  }
}
