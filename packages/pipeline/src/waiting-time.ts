import type { BlockingReceiver, Receiver } from './channel.js';
import { noLinks, type PartLinks } from './part-links.js';

interface Connected {
  readonly input: Receiver;
  readonly links?: PartLinks;
}

/** The time that a worker waits for messages. */
export class WaitingTime {
  #milliseconds = 0;

  /** The same work with connections whose waits are measured. */
  measured<Work extends Connected>(work: Work): Work {
    const { gradientInput, weightInputs, ...outputs } = work.links ?? noLinks;
    return {
      ...work,
      input: this.#input(work.input),
      links: {
        ...outputs,
        ...(gradientInput === undefined ? {} : { gradientInput: this.#blocking(gradientInput) }),
        weightInputs: weightInputs.map(({ names, receiver }) => ({ names, receiver: this.#blocking(receiver) })),
      },
    };
  }

  /** Seconds since the last call. */
  take(): number {
    const seconds = this.#milliseconds / 1000;
    this.#milliseconds = 0;
    return seconds;
  }

  #blocking(receiver: BlockingReceiver): BlockingReceiver {
    return {
      receive: () => {
        const start = performance.now();
        const message = receiver.receive();
        this.#milliseconds += performance.now() - start;
        return message;
      },
    };
  }

  #input(receiver: Receiver): Receiver {
    return {
      receive: () => {
        const start = performance.now();
        const stop = (message: Uint8Array) => {
          this.#milliseconds += performance.now() - start;
          return message;
        };
        const message = receiver.receive();
        return message instanceof Uint8Array ? stop(message) : message.then(stop);
      },
    };
  }
}
