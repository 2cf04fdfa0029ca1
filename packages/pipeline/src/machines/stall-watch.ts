import type { SharedRing } from '../ring.js';

/** Notices a worker that is alive but answers none of the messages in its queue. */
export class StallWatch {
  readonly #timer: NodeJS.Timeout;
  #last = performance.now();

  /** @param seconds without an answer while the queue is not empty, after which `onStall` is called */
  constructor(queue: SharedRing, seconds: number, onStall: () => void) {
    this.#timer = setInterval(() => {
      if (queue.isEmpty) this.noteAnswer();
      if (performance.now() - this.#last < 1000 * seconds) return;
      this.stop();
      onStall();
    }, 100 * seconds);
  }

  /** The worker has answered a message. */
  noteAnswer(): void {
    this.#last = performance.now();
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}
