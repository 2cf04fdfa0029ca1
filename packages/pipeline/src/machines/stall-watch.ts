import type { SharedRing } from '../ring.js';

/** Looks at the queue in the time of a stall. */
const looks = 10;

/** Notices a worker that is alive but answers none of the messages in its queue. */
export class StallWatch {
  readonly #timer: NodeJS.Timeout;
  /** Looks since the last answer. By the clock, a process that was stopped for a while would count as a stall. */
  #silent = 0;

  /** @param seconds without an answer while the queue is not empty, after which `onStall` is called */
  constructor(queue: SharedRing, seconds: number, onStall: () => void) {
    this.#timer = setInterval(
      () => {
        this.#silent++;
        if (queue.isEmpty) this.noteAnswer();
        if (this.#silent < looks) return;
        this.stop();
        onStall();
      },
      (1000 * seconds) / looks,
    );
  }

  /** The worker has answered a message. */
  noteAnswer(): void {
    this.#silent = 0;
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}
