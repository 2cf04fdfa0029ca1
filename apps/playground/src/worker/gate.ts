import type { BatchSource } from '@localgrad/train';

/** Holds back the next batch while it is closed: a pause that costs nothing and changes no number. */
export class Gate {
  #opened: Promise<void> = Promise.resolve();
  #open: (() => void) | undefined;
  readonly #onWait: () => void;

  /** @param onWait called when training has reached the closed gate */
  constructor(onWait: () => void) {
    this.#onWait = onWait;
  }

  close(): void {
    if (this.#open !== undefined) return;
    this.#opened = new Promise((resolve) => {
      this.#open = resolve;
    });
  }

  open(): void {
    this.#open?.();
    this.#open = undefined;
  }

  /** The same batches, each behind the gate. */
  around(batches: BatchSource): BatchSource {
    const { samples, batchSize, batchesPerEpoch } = batches;
    const pass = () => this.#pass();
    return {
      samples,
      batchSize,
      batchesPerEpoch,
      async *epoch(epoch, fromSample) {
        const source = batches.epoch(epoch, fromSample);
        const iterator = Symbol.asyncIterator in source ? source[Symbol.asyncIterator]() : source[Symbol.iterator]();
        for (;;) {
          await pass();
          const { done, value } = await iterator.next();
          if (done === true) return;
          yield value;
        }
      },
    };
  }

  async #pass(): Promise<void> {
    if (this.#open !== undefined) this.#onWait();
    await this.#opened;
  }
}
