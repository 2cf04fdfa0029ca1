import { LocalgradError } from '@localgrad/core';
import { callWith, readArguments, writeArguments, writeEvenArguments } from './shared-arguments.js';
import { startThreads } from './threads.node.js';
import { blockBytes, control, type PoolThread, slotLength, spins, stop } from './worker.js';

/** A compiled kernel module's functions; arguments are numbers and byte offsets. */
export type KernelFunctions = Readonly<Record<string, KernelFunction>>;
export type KernelFunction = (...values: number[]) => void;

/** Items in even pieces: piece p has those from p·size to min(items, (p + 1)·size). */
export interface EvenPieces {
  /** Number of pieces. */
  readonly count: number;
  readonly size: number;
  readonly items: number;
}

/** The first item of a piece, and the one after its last. */
export function boundsOf({ size, items }: EvenPieces, piece: number): [first: number, end: number] {
  return [piece * size, Math.min(items, (piece + 1) * size)];
}

/** Runs one kernel on pieces of the work, on all threads, and returns when all pieces are done. */
export interface KernelPool {
  readonly threads: number;
  /**
   * Calls `kernel(...argumentsOf(piece), thread)` for each piece 0 … pieces − 1, in any order and on any thread. Pieces must
   * be independent of each other, so that results do not depend on the threads; `thread`, 0 … threads − 1, is for scratch
   * memory that pieces of one thread share.
   *
   * @throws LocalgradError `misuse` after `dispose`, `backend-lost` if a thread died or a kernel failed
   */
  run(kernel: string, pieces: number, argumentsOf: (piece: number) => readonly number[]): void;
  /**
   * Calls `kernel(...before, first, end, ...after, thread)` for each piece, with the bounds of its items; like `run`, without a list
   * of arguments for each piece, which takes as long as a small piece.
   */
  runEvenly(kernel: string, pieces: EvenPieces, before: readonly number[], after?: readonly number[]): void;
  /** Stops the threads. */
  dispose(): void;
}

export function createSingleThreadPool(functions: KernelFunctions): KernelPool {
  let isDisposed = false;
  return {
    threads: 1,
    run(kernel, pieces, argumentsOf) {
      if (isDisposed) throw disposedError(kernel);
      const call = find(functions, kernel);
      for (let piece = 0; piece < pieces; piece++) call(...argumentsOf(piece), 0);
    },
    runEvenly(kernel, pieces, before, after = []) {
      if (isDisposed) throw disposedError(kernel);
      const call = find(functions, kernel);
      for (let piece = 0; piece < pieces.count; piece++) call(...before, ...boundsOf(pieces, piece), ...after, 0);
    },
    dispose() {
      isDisposed = true;
    },
  };
}

export interface ThreadPoolOptions {
  /** Number of threads, including the caller's. */
  readonly threads: number;
  /** Milliseconds without progress after which a thread counts as dead. Default two minutes: longer than any piece takes. */
  readonly timeoutMilliseconds?: number;
}

/** Creates threads that share the heap and do not keep the process alive. */
export async function createThreadPool(
  module: WebAssembly.Module,
  functions: KernelFunctions,
  memory: WebAssembly.Memory,
  { threads, timeoutMilliseconds = 120_000 }: ThreadPoolOptions,
): Promise<KernelPool & { readonly workers: readonly PoolThread[] }> {
  const block = new SharedArrayBuffer(blockBytes);
  const words = new Int32Array(block, 0, control.words);
  const values = new Float64Array(block, control.words * 4);
  const names = kernelNames(functions);
  let failure: string | undefined;
  let isDisposed = false;
  const workers = startThreads(threads - 1, { module, memory, block, names }, (reason) => {
    if (!isDisposed) failure ??= reason;
  });
  const wake = () => {
    Atomics.add(words, control.generation, 1);
    // A worker that is about to sleep sees the new generation and does not.
    if (Atomics.load(words, control.asleep) > 0) Atomics.notify(words, control.generation);
  };
  const dispose = () => {
    isDisposed = true;
    Atomics.store(words, control.kernel, stop);
    wake();
  };
  await start(words, threads - 1, () => failure).catch((error: unknown) => {
    dispose();
    throw error;
  });

  const own = new Float64Array(slotLength);

  /** Runs pieces whose arguments are written, on all threads. */
  const runWritten = (kernel: string, call: KernelFunction, pieces: number) => {
    words[control.pieces] = pieces;
    words[control.kernel] = names.indexOf(kernel);
    words[control.done] = 0;
    Atomics.store(words, control.left, pieces);
    wake();
    for (let left = Atomics.sub(words, control.left, 1); left > 0; left = Atomics.sub(words, control.left, 1)) {
      readArguments(words, values, pieces - left, own);
      try {
        callWith(call, own);
      } catch {
        Atomics.store(words, control.failed, 1);
      }
      Atomics.add(words, control.done, 1);
    }
    if (!waitForAll(words, pieces, timeoutMilliseconds)) {
      failure = `no progress for ${timeoutMilliseconds / 1000} s`;
      throw deadError(kernel, failure);
    }
    if (Atomics.exchange(words, control.failed, 0) !== 0) {
      throw new LocalgradError('backend-lost', `The wasm kernel '${kernel}' failed.`, { kernel });
    }
  };
  const findAlive = (kernel: string) => {
    if (isDisposed) throw disposedError(kernel);
    const call = find(functions, kernel);
    if (failure !== undefined) throw deadError(kernel, failure);
    return call;
  };

  return {
    threads,
    workers,
    run(kernel, pieces, argumentsOf) {
      const call = findAlive(kernel);
      if (pieces === 1) {
        call(...argumentsOf(0), 0);
        return;
      }
      writeArguments(words, values, pieces, argumentsOf);
      runWritten(kernel, call, pieces);
    },
    runEvenly(kernel, pieces, before, after = []) {
      const call = findAlive(kernel);
      if (pieces.count === 1) {
        call(...before, 0, pieces.items, ...after, 0);
        return;
      }
      writeEvenArguments(words, values, pieces, before, after);
      runWritten(kernel, call, pieces.count);
    },
    dispose,
  };
}

function kernelNames(functions: KernelFunctions): string[] {
  return Object.keys(functions).filter((name) => typeof functions[name] === 'function');
}

function find(functions: KernelFunctions, kernel: string): KernelFunction {
  const call = functions[kernel];
  if (call === undefined) {
    throw new LocalgradError(
      'misuse',
      `The wasm module has no kernel '${kernel}'; it has ${kernelNames(functions).join(', ')}.`,
    );
  }
  return call;
}

async function start(words: Int32Array, workers: number, failure: () => string | undefined): Promise<void> {
  const started = Date.now();
  while (Atomics.load(words, control.ready) < workers) {
    if (failure() !== undefined || Date.now() - started > 30_000) {
      const reason = failure() ?? 'no answer in 30 s';
      throw new LocalgradError(
        'backend-unavailable',
        `The threads of the wasm kernels could not be started: ${reason}.`,
      );
    }
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

/** False if no piece was finished within the timeout. */
function waitForAll(words: Int32Array, pieces: number, timeoutMilliseconds: number): boolean {
  let progress = 0;
  let since = Date.now();
  for (let spin = 0; ; spin++) {
    const done = Atomics.load(words, control.done);
    if (done === pieces) return true;
    if (spin <= spins) continue;
    if (done !== progress) {
      progress = done;
      since = Date.now();
    }
    // Workers wake this thread only after the last piece; the timeout detects pieces that never finish.
    Atomics.wait(words, control.done, done, Math.min(100, timeoutMilliseconds));
    if (Date.now() - since > timeoutMilliseconds) return false;
  }
}

function disposedError(kernel: string): LocalgradError {
  return new LocalgradError('misuse', `Kernel '${kernel}' cannot run: the wasm kernels have been disposed.`, {
    kernel,
  });
}

function deadError(kernel: string, reason: string): LocalgradError {
  return new LocalgradError(
    'backend-lost',
    `A thread of the wasm kernels died before or during '${kernel}': ${reason}.`,
    {
      kernel,
    },
  );
}
