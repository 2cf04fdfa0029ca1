import { LocalgradError } from '@localgrad/core';

/** What the allocations need of the backend's module. */
export interface EmscriptenModule {
  wasmMemory?: WebAssembly.Memory;
  asm: { memory?: WebAssembly.Memory; malloc(bytes: number): number; free(pointer: number): void };
  _malloc(bytes: number): number;
  _free(pointer: number): void;
  HEAPU8: Uint8Array;
}

/** Work of kernels that has not run yet, but runs before all that comes later. */
export interface PendingWork {
  readonly isIdle: boolean;
  /** Returns when all has run. */
  wait(): void;
}

/** Freed bytes that wait for pending work, at most: with more, the work is waited for. */
const MOST_FREED_BYTES = 2 ** 25;

const opened = new WeakMap<EmscriptenModule, Allocations>();

/**
 * The allocations of a module. Counts allocated bytes, and throws where the backend would write to address 0 or wait for a dead thread.
 *
 * The backend's allocator keeps its lists in freed memory, which pending work may still read and write. Memory that is freed meanwhile
 * is therefore kept aside: a kernel that comes later may have it at once, all others when the work is done.
 */
export class Allocations {
  readonly #module: EmscriptenModule;
  readonly #limitBytes: number;
  readonly #original: Pick<EmscriptenModule, '_malloc' | '_free'>;
  readonly #allocate: (bytes: number) => number;
  readonly #release: (pointer: number) => void;
  readonly #sizes = new Map<number, number>();
  /** Memory kept aside, by its size. */
  readonly #freed = new Map<number, number[]>();
  #freedBytes = 0;
  #usedBytes = 0;
  #work: PendingWork | undefined;
  /** Whether what is allocated is written by kernels only. */
  #isForKernels = false;

  /** Those of a module, which are opened once. */
  static of(module: EmscriptenModule, limitBytes: number, failure: () => string | undefined): Allocations {
    const known = opened.get(module) ?? new Allocations(module, limitBytes, failure);
    opened.set(module, known);
    return known;
  }

  private constructor(module: EmscriptenModule, limitBytes: number, failure: () => string | undefined) {
    this.#module = module;
    this.#limitBytes = limitBytes;
    this.#original = { _malloc: module._malloc, _free: module._free };
    const { malloc, free } = module.asm;
    this.#allocate = (bytes) => malloc(bytes) >>> 0;
    this.#release = free;
    // Emscripten replaces module._malloc by its own stub on the first call, so both names must be set.
    module._malloc = (bytes) => {
      const reason = failure();
      if (reason !== undefined) throw lostError(reason);
      return this.#malloc(bytes);
    };
    module._free = (pointer) => this.#free(pointer >>> 0);
  }

  get usedBytes(): number {
    return this.#usedBytes;
  }

  /** From now on, memory may be allocated and freed while this work is pending, and no other is. */
  defer(work: PendingWork): void {
    if (work === this.#work) return;
    this.finish();
    this.#work = work;
  }

  /** Returns when the host may read and write all memory. */
  finish(): void {
    this.#work?.wait();
    if (this.#freedBytes > 0) this.#releaseFreed();
  }

  /** Calls `allocate`; what it allocates, kernels write before the host does anything with it. */
  forKernels<T>(allocate: () => T): T {
    this.#isForKernels = true;
    try {
      return allocate();
    } finally {
      this.#isForKernels = false;
    }
  }

  /** Whether all work has run. */
  get isIdle(): boolean {
    return this.#work?.isIdle ?? true;
  }

  /** Leaves the module as it was. */
  close(): void {
    if (this.isIdle) this.finish();
    this.#module._malloc = this.#original._malloc;
    this.#module._free = this.#original._free;
    opened.delete(this.#module);
  }

  #malloc(bytes: number): number {
    if (this.#usedBytes + bytes > this.#limitBytes) this.#refuse(bytes);
    if (!this.#isForKernels) this.finish();
    const pointer = this.#takeFreed(bytes) ?? this.#allocateNew(bytes);
    this.#sizes.set(pointer, bytes);
    this.#usedBytes += bytes;
    return pointer;
  }

  #allocateNew(bytes: number): number {
    let pointer = this.#allocate(bytes);
    if (pointer === 0 && this.#freedBytes > 0) {
      this.finish();
      pointer = this.#allocate(bytes);
    }
    if (pointer === 0 && bytes > 0) this.#refuse(bytes);
    return pointer;
  }

  #takeFreed(bytes: number): number | undefined {
    const pointer = this.#freed.get(bytes)?.pop();
    if (pointer !== undefined) this.#freedBytes -= bytes;
    return pointer;
  }

  #free(pointer: number): void {
    const bytes = this.#sizes.get(pointer);
    // Memory that was allocated before this was opened.
    if (bytes === undefined) this.finish();
    this.#usedBytes -= bytes ?? 0;
    this.#sizes.delete(pointer);
    if (bytes === undefined || this.isIdle) {
      this.#release(pointer);
      return;
    }
    const same = this.#freed.get(bytes);
    if (same === undefined) this.#freed.set(bytes, [pointer]);
    else same.push(pointer);
    this.#freedBytes += bytes;
    if (this.#freedBytes > MOST_FREED_BYTES) this.finish();
  }

  #releaseFreed(): void {
    for (const pointers of this.#freed.values()) for (const pointer of pointers) this.#release(pointer);
    this.#freed.clear();
    this.#freedBytes = 0;
  }

  #refuse(bytes: number): never {
    const [used, limit] = [this.#usedBytes, this.#limitBytes];
    throw new LocalgradError(
      'out-of-memory',
      `The wasm heap is exhausted: ${bytes} bytes were requested, and ${used} of ${limit} bytes are in use. ` +
        'Use a smaller batch, more modules, or the recompute executor.',
      { requestedBytes: bytes, usedBytes: used, limitBytes: limit },
    );
  }
}

function lostError(reason: string): LocalgradError {
  return new LocalgradError(
    'backend-lost',
    `A thread of the wasm backend died: ${reason}. Start the backend again; existing tensors can still be read.`,
  );
}
