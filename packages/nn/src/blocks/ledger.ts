/** Tracks allocated bytes and their peak. Costs are computed by replaying a block's allocations on a ledger. */
export class Ledger {
  #live = 0;
  #peak = 0;

  /** Bytes that are allocated now. */
  get live(): number {
    return this.#live;
  }

  /** Peak so far; at least 0. */
  get peak(): number {
    return this.#peak;
  }

  /** Allocates `bytes`. */
  take(bytes: number): void {
    this.#live += bytes;
    this.#peak = Math.max(this.#peak, this.#live);
  }

  /** Frees `bytes`. */
  give(bytes: number): void {
    this.#live -= bytes;
  }

  /** Allocates and immediately frees `bytes`. */
  touch(bytes: number): void {
    this.#peak = Math.max(this.#peak, this.#live + bytes);
  }
}
