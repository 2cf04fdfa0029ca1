/** Adds up the time between `start` and `stop`. */
export class Stopwatch {
  #total = 0;
  #startedAt: number | undefined;

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
