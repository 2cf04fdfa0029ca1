/** Seconds of an attempt before its first checkpoint: what a process does that is lost every few minutes must not be in vain. */
const firstSeconds = 60;
/** Seconds between two further ones. */
const laterSeconds = 600;
/** Time between two checkpoints, at least, in terms of the time that one takes: saving costs 5 % at most. */
const leastShare = 20;

/** Decides when to save besides the ends of epochs, so that long epochs and long steps lose little work. */
export class CheckpointClock {
  readonly #now: () => number;
  #last: number;
  #wait = 1000 * firstSeconds;

  /** @param now milliseconds of a clock that is never set back */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
    this.#last = now();
  }

  isDue(): boolean {
    return this.#now() - this.#last >= this.#wait;
  }

  /** Measures a save, and starts the time to the next one. */
  async around(save: () => Promise<void>): Promise<void> {
    const start = this.#now();
    await save();
    this.#last = this.#now();
    this.#wait = Math.max(1000 * laterSeconds, leastShare * (this.#last - start));
  }
}
