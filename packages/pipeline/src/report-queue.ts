/** Values in the order of their arrival, for one reader, until the source fails. */
export class ReportQueue<Value> {
  readonly #values: Value[] = [];
  #waiting: { resolve(value: Value): void; reject(error: unknown): void } | undefined;
  #failure: { readonly error: unknown } | undefined;

  add(value: Value): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    if (waiting === undefined) this.#values.push(value);
    else waiting.resolve(value);
  }

  /** Every value that is taken from now on, and the one that is waited for, is this error. */
  fail(error: unknown): void {
    this.#failure ??= { error };
    this.#waiting?.reject(error);
    this.#waiting = undefined;
  }

  /** Waits for the next value. */
  take(): Promise<Value> {
    return new Promise((resolve, reject) => {
      const failure = this.#failure;
      if (failure !== undefined) {
        reject(failure.error);
        return;
      }
      const [value] = this.#values.splice(0, 1);
      if (value === undefined) this.#waiting = { resolve, reject };
      else resolve(value);
    });
  }
}
