/** Adds up what is alive and remembers the highest sum: costs are told by replaying a block's allocations on it. */
export class Ledger {
  #live = 0;
  #peak = 0;

  get live(): number {
    return this.#live;
  }

  /** Highest sum so far, the start (0) included. */
  get peak(): number {
    return this.#peak;
  }

  take(bytes: number): void {
    this.#live += bytes;
    this.#peak = Math.max(this.#peak, this.#live);
  }

  give(bytes: number): void {
    this.#live -= bytes;
  }

  /** Something that needs `bytes` for a moment. */
  touch(bytes: number): void {
    this.#peak = Math.max(this.#peak, this.#live + bytes);
  }
}
