import type { KernelRuntime } from './kernel-runtime.js';

interface Shared<Runtime> {
  readonly runtime: Runtime;
  users: number;
}

/** At most one runtime per backend instance: starting a backend again shares it, and the last user disposes it. */
export class SharedRuntimes<Runtime extends KernelRuntime> {
  readonly #shared = new WeakMap<object, Shared<Runtime>>();

  /** The runtime of a backend; undefined if it has none. Borrowed. */
  get(backend: object): Runtime | undefined {
    return this.#shared.get(backend)?.runtime;
  }

  /** A handle of the backend's runtime, which `start` creates for the first user. */
  share(backend: object, start: () => Runtime): Runtime {
    let shared = this.#shared.get(backend);
    if (shared === undefined) {
      shared = { runtime: start(), users: 0 };
      this.#shared.set(backend, shared);
    }
    const entry = shared;
    entry.users++;
    let isDisposed = false;
    return {
      ...entry.runtime,
      dispose: () => {
        if (isDisposed) return;
        isDisposed = true;
        entry.users--;
        if (entry.users === 0 && this.#shared.get(backend) === entry) this.stop(backend);
      },
    };
  }

  /** Disposes a backend's runtime even if it is in use; `dispose` of its handles then has no effect. */
  stop(backend: object): void {
    const shared = this.#shared.get(backend);
    this.#shared.delete(backend);
    shared?.runtime.dispose();
  }
}
