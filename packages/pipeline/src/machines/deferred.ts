/** A promise that is settled from outside. */
export class Deferred<Value = void> {
  readonly promise: Promise<Value>;
  resolve: (value: Value) => void = () => {};
  reject: (error: unknown) => void = () => {};

  constructor() {
    this.promise = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
    // An error is thrown where somebody waits for it, if anybody does.
    this.promise.catch(() => {});
  }
}
