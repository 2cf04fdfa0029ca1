import { MlflowFailure } from './failure.js';

export interface RetrierOptions {
  /** Milliseconds before the first repetition; twice as many before each further one. */
  readonly firstDelay: number;
  /** Told of the first failure of a request that will be repeated. */
  readonly onFailure: (failure: MlflowFailure) => void;
}

const longestDelay = 60_000;

/** Repeats requests for as long as their failures may pass, with pauses that double and vary. */
export class Retrier {
  readonly #options: RetrierOptions;
  readonly #stop = new AbortController();
  #failures = 0;
  #wake: () => void = () => {};
  #lastFailure: MlflowFailure | undefined;

  constructor(options: RetrierOptions) {
    this.#options = options;
  }

  /** Of the request that is being repeated; undefined when the last one succeeded. */
  get lastFailure(): MlflowFailure | undefined {
    return this.#lastFailure;
  }

  get isStopped(): boolean {
    return this.#stop.signal.aborted;
  }

  /**
   * @param request told which repetition it is, from 0
   * @throws MlflowFailure that will not pass, or the last one when stopped
   */
  async run<Answer>(request: (signal: AbortSignal, repetition: number) => Promise<Answer>): Promise<Answer> {
    this.#failures = 0;
    for (let repetition = 0; ; repetition++) {
      try {
        const answer = await request(this.#stop.signal, repetition);
        this.#lastFailure = undefined;
        return answer;
      } catch (error) {
        if (!(error instanceof MlflowFailure) || !error.isTransient || this.isStopped) throw error;
        this.#lastFailure = error;
        if (repetition === 0) this.#options.onFailure(error);
        await this.#pause(error.retryAfter);
        if (this.isStopped) throw error;
      }
    }
  }

  /** Ends the present pause; the next ones are short again. */
  hurry(): void {
    this.#failures = 0;
    this.#wake();
  }

  /** Ends requests and pauses for good. */
  stop(): void {
    this.#stop.abort();
    this.#wake();
  }

  async #pause(atLeast: number): Promise<void> {
    // Runs that failed together shall not come back together.
    const spread = 0.5 + Math.random() / 2;
    const delay = spread * Math.min(longestDelay, this.#options.firstDelay * 2 ** this.#failures++);
    await new Promise<void>((resolve) => {
      // A server that is away does not keep the process from ending.
      const timer = setTimeout(resolve, Math.min(longestDelay, Math.max(delay, atLeast))).unref();
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
