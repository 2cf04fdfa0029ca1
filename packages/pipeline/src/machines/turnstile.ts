/** Lets those who wait pass, all at once. */
export class Turnstile {
  readonly #waiting = new Set<() => void>();

  open(): void {
    for (const pass of this.#waiting) pass();
  }

  /** Waits until it opens; false if it does not in the time. */
  wait(milliseconds: number): Promise<boolean> {
    return new Promise((resolve) => {
      const end = (hasOpened: boolean) => {
        clearTimeout(timer);
        this.#waiting.delete(pass);
        resolve(hasOpened);
      };
      const timer = setTimeout(() => end(false), milliseconds);
      const pass = () => end(true);
      this.#waiting.add(pass);
    });
  }
}
