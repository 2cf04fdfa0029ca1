/** Seconds of an attempt before its first checkpoint; short, so that a process that is killed every few minutes makes progress. */
const firstSeconds = 60;
/** Seconds between later checkpoints. */
const laterSeconds = 600;
/** Minimum time between two checkpoints, as a multiple of the time of one save: saving takes at most 5 %. */
const leastShare = 20;

/** Decides when to save within epochs, so that an interruption of a long epoch or step loses little work. */
export class CheckpointClock {
  readonly #now: () => number;
  #last: number;
  #wait = 1000 * firstSeconds;

  /** @param now milliseconds of a monotonic clock */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
    this.#last = now();
  }

  isDue(): boolean {
    return this.#now() - this.#last >= this.#wait;
  }

  /** Measures a save, and restarts the interval to the next one. */
  async around(save: () => Promise<void>): Promise<void> {
    const start = this.#now();
    await save();
    this.#last = this.#now();
    this.#wait = Math.max(1000 * laterSeconds, leastShare * (this.#last - start));
  }
}
