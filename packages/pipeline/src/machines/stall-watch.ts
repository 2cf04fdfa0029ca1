/** Notices a worker that is alive but answers none of the messages that wait for it. */
export class StallWatch {
  readonly #milliseconds: number;
  readonly #onStall: () => void;
  #waiting = 0;
  #timer: NodeJS.Timeout | undefined;

  /** @param seconds after which `onStall` is called, from the last answer or the first message that waits */
  constructor(seconds: number, onStall: () => void) {
    this.#milliseconds = 1000 * seconds;
    this.#onStall = onStall;
  }

  /** A message has arrived. */
  add(): void {
    this.#waiting++;
    if (this.#waiting === 1) this.#restart();
  }

  /** The worker has answered the oldest message. */
  remove(): void {
    this.#waiting--;
    if (this.#waiting === 0) this.stop();
    else this.#restart();
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  #restart(): void {
    this.stop();
    this.#timer = setTimeout(this.#onStall, this.#milliseconds);
  }
}
