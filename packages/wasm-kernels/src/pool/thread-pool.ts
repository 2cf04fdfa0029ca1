import { LocalgradError } from '@localgrad/core';
import { CallQueue, type ReadWord } from './call-queue.js';
import {
  type Call,
  disposedError,
  findKernel,
  type KernelFunctions,
  type KernelPool,
  kernelNames,
  runAlone,
} from './pool.js';
import { startThreads } from './threads.node.js';
import { blockBytes, type PoolThread } from './worker.js';

export interface ThreadPoolOptions {
  /** Number of threads, including the caller's. */
  readonly threads: number;
  /** Milliseconds without progress after which a thread counts as dead. Default two minutes: longer than any piece takes. */
  readonly timeoutMilliseconds?: number;
}

export interface ThreadPool extends KernelPool {
  readonly workers: readonly PoolThread[];
}

/**
 * Creates threads that share the heap and do not keep the process alive. Calls are put into a queue, from which the workers take pieces
 * while the caller computes what comes next; it takes pieces itself when the queue is full, and while it waits.
 */
export async function createThreadPool(
  module: WebAssembly.Module,
  functions: KernelFunctions,
  memory: WebAssembly.Memory,
  { threads, timeoutMilliseconds = 120_000 }: ThreadPoolOptions,
): Promise<ThreadPool> {
  const block = new SharedArrayBuffer(blockBytes);
  const names = kernelNames(functions);
  const indices = new Map(names.map((name, index) => [name, index]));
  const kernels = names.map((name) => findKernel(functions, name));
  const readWord = findKernel(functions, 'readWord') as ReadWord;
  const queue = new CallQueue(block, kernels, readWord);
  let failure: string | undefined;
  let isDisposed = false;
  const workers = startThreads(threads - 1, { module, memory, block, names }, (reason) => {
    if (!isDisposed) failure ??= reason;
  });
  await start(queue, threads - 1, () => failure).catch((error: unknown) => {
    isDisposed = true;
    queue.stop();
    throw error;
  });

  /** Takes pieces until a condition holds; a piece that a dead thread has taken never ends. */
  const helpUntil = (isDone: () => boolean, purpose: string) => {
    const patience = Math.min(100, timeoutMilliseconds);
    // Of waiting, not of the clock: a machine that sleeps, or a process that is stopped, loses no thread.
    let waited = 0;
    while (!isDone()) {
      if (queue.help(patience)) {
        waited = 0;
        continue;
      }
      waited += patience;
      if (waited >= timeoutMilliseconds) failure ??= `no progress for ${timeoutMilliseconds / 1000} s`;
      if (failure !== undefined) throw deadError(failure, purpose);
    }
  };
  const throwFailed = () => {
    const failed = queue.takeFailure();
    if (failed === undefined) return;
    const kernel = names[failed] as string;
    throw new LocalgradError('backend-lost', `The wasm kernel '${kernel}' failed.`, { kernel });
  };
  const runCall = (kernel: string, call: Call) => {
    if (isDisposed) throw disposedError(kernel);
    const found = findKernel(functions, kernel);
    if (failure !== undefined) throw deadError(failure, `kernel '${kernel}'`);
    if (call.pieces === 0) return;
    if (call.pieces === 1 && queue.pending === 0) {
      runAlone(functions, found, call);
      return;
    }
    helpUntil(() => !queue.isFull, `kernel '${kernel}'`);
    queue.add(indices.get(kernel) as number, call);
  };

  return {
    threads,
    workers,
    get isIdle() {
      return queue.pending === 0;
    },
    run: (kernel, pieces, argumentsOf, condition) => runCall(kernel, { pieces, argumentsOf, condition }),
    runEvenly: (kernel, { count, size, items }, before, after = [], condition) =>
      runCall(kernel, { pieces: count, before, after, size, items, condition }),
    wait() {
      helpUntil(() => queue.pending === 0, 'the kernels in the queue');
      throwFailed();
    },
    dispose() {
      if (isDisposed) return;
      isDisposed = true;
      // Results of earlier calls may still be read. Where a thread died with a piece, reading them throws.
      try {
        helpUntil(() => queue.pending === 0, 'the kernels in the queue');
      } catch {
      } finally {
        queue.stop();
      }
    },
  };
}

async function start(queue: CallQueue, workers: number, failure: () => string | undefined): Promise<void> {
  const started = Date.now();
  while (queue.ready < workers) {
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

function deadError(reason: string, purpose: string): LocalgradError {
  return new LocalgradError(
    'backend-lost',
    `A thread of the wasm kernels died before or during ${purpose}: ${reason}.`,
  );
}
