import { MlflowFailure } from './failure.js';

export interface RetrierOptions {
  /** Milliseconds before the first retry; doubles with each retry. */
  readonly firstDelay: number;
  /** Called with the first failure of a request that will be retried. */
  readonly onFailure: (failure: MlflowFailure) => void;
}

const longestDelay = 60_000;
/** Failures in a row without an answer after which a run that has ended stops retrying. */
const mostUnreachable = 3;

/** Retries requests while their failures are transient, with exponential backoff and jitter. */
export class Retrier {
  readonly #options: RetrierOptions;
  readonly #stop = new AbortController();
  #failures = 0;
  #wake: () => void = () => {};
  #lastFailure: MlflowFailure | undefined;
  #isEnding = false;
  /** Failures in a row without an answer since `end` was called. */
  #unreachable = 0;

  constructor(options: RetrierOptions) {
    this.#options = options;
  }

  /** Failure of the request that is being retried; undefined if the last request succeeded. */
  get lastFailure(): MlflowFailure | undefined {
    return this.#lastFailure;
  }

  get isStopped(): boolean {
    return this.#stop.signal.aborted;
  }

  /**
   * @param request receives the number of the retry, from 0
   * @throws MlflowFailure that is permanent, or the last one if stopped
   */
  async run<Answer>(request: (signal: AbortSignal, repetition: number) => Promise<Answer>): Promise<Answer> {
    this.#failures = 0;
    for (let repetition = 0; ; repetition++) {
      const isLate = this.#isEnding;
      try {
        const answer = await request(this.#stop.signal, repetition);
        this.#lastFailure = undefined;
        this.#unreachable = 0;
        return answer;
      } catch (error) {
        if (!(error instanceof MlflowFailure) || !error.isTransient || this.isStopped) throw error;
        this.#lastFailure = error;
        // Only requests that began after `end` count: the server may have come back just before.
        if (isLate) this.#unreachable = error.isUnreachable ? this.#unreachable + 1 : 0;
        if (this.#unreachable >= mostUnreachable) throw error;
        if (repetition === 0) this.#options.onFailure(error);
        await this.#pause(error.retryAfter);
        if (this.isStopped) throw error;
      }
    }
  }

  /**
   * Ends the current pause; the next ones are short again. From now on a server that cannot be reached three times in a
   * row, or once if it was down before, is abandoned.
   */
  end(): void {
    this.#isEnding = true;
    this.#unreachable = this.#lastFailure?.isUnreachable === true ? mostUnreachable - 1 : 0;
    this.#failures = 0;
    this.#wake();
  }

  /** Cancels requests and pauses permanently. */
  stop(): void {
    this.#stop.abort();
    this.#wake();
  }

  async #pause(atLeast: number): Promise<void> {
    // Runs that failed together should not retry together.
    const spread = 0.5 + Math.random() / 2;
    const delay = spread * Math.min(longestDelay, this.#options.firstDelay * 2 ** this.#failures++);
    await new Promise<void>((resolve) => {
      // A server that is down does not keep the process alive.
      const timer = setTimeout(resolve, Math.min(longestDelay, Math.max(delay, atLeast))).unref();
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
