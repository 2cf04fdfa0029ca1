/**
 * Watches an output stream of the process, so that a reader that exits (`| head`), a full disk or a closed terminal does not
 * end a run: without a listener, each is an uncaught error.
 */
export class OutputWatch {
  readonly #stream: NodeJS.WriteStream;
  #failure: NodeJS.ErrnoException | undefined;

  constructor(stream: NodeJS.WriteStream) {
    this.#stream = stream;
    stream.on('error', (error) => {
      this.#failure ??= error;
    });
  }

  /** Why output was lost; undefined if all of it was written, or if its reader ended on purpose. */
  get lost(): Error | undefined {
    return this.#failure?.code === 'EPIPE' ? undefined : this.#failure;
  }

  /** Resolves when everything has been written, or cannot be. */
  async flush(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#stream.write('', () => resolve());
    });
    // An error is emitted after the callback of its write.
    await new Promise(setImmediate);
  }
}
