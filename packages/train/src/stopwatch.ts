/** Accumulates the time between `start` and `stop`. */
export class Stopwatch {
  #total: number;
  #startedAt: number | undefined;

  /** @param seconds initial value, from a previous process */
  constructor(seconds = 0) {
    this.#total = 1000 * seconds;
  }

  start(): this {
    this.#startedAt ??= performance.now();
    return this;
  }

  stop(): this {
    this.#total = this.#milliseconds();
    this.#startedAt = undefined;
    return this;
  }

  get seconds(): number {
    return this.#milliseconds() / 1000;
  }

  #milliseconds(): number {
    return this.#total + (this.#startedAt === undefined ? 0 : performance.now() - this.#startedAt);
  }
}
