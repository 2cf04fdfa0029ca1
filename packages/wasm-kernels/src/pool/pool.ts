import type { Worker } from 'node:worker_threads';
import { LocalgradError } from '@localgrad/core';

/** A compiled kernel module's functions; arguments are numbers and byte offsets. */
export type KernelFunctions = Readonly<Record<string, (...values: number[]) => void>>;

/** Runs one kernel on pieces of the work, on all threads, and returns when all are done. */
export interface KernelPool {
  readonly threads: number;
  /**
   * Calls `kernel(...argumentsOf(piece))` for each piece 0 … pieces − 1. Which thread takes which piece is fixed, and
   * pieces must not depend on each other, so that results do not depend on the number of threads.
   */
  run(kernel: string, pieces: number, argumentsOf: (piece: number) => readonly number[]): void;
  dispose(): void;
}

export function createSingleThreadPool(functions: KernelFunctions): KernelPool {
  return {
    threads: 1,
    run(kernel, pieces, argumentsOf) {
      const call = functions[kernel] as (...values: number[]) => void;
      for (let piece = 0; piece < pieces; piece++) call(...argumentsOf(piece));
    },
    dispose() {},
  };
}

// Control words, then for each piece its arguments as doubles.
const GENERATION = 0;
const DONE = 1;
const READY = 2;
const KERNEL = 3;
const PIECES = 4;
const ARGUMENTS = 5;
const FAILED = 6;
const CONTROL_WORDS = 8;
const MAXIMUM_PIECES = 256;
const MAXIMUM_ARGUMENTS = 20;
const STOP = -1;
/** Longer than any kernel on any shape: only a dead thread takes so long. */
const TIMEOUT_MILLISECONDS = 120_000;

/** Looks before a thread sleeps: about 20 µs, the pause between two kernels of a step. */
const SPINS = 4_000;

/** A plain string, so that bundlers need no second file. Threads spin a while before they sleep: kernels are short. */
const workerSource = `
const { workerData } = require('node:worker_threads');
const { module, memory, control, thread, threads } = workerData;
const functions = new WebAssembly.Instance(module, { env: { memory, abort() { throw new Error('abort'); } } }).exports;
const names = Object.keys(functions).filter((name) => typeof functions[name] === 'function').sort();
const words = new Int32Array(control, 0, ${CONTROL_WORDS});
const values = new Float64Array(control, ${CONTROL_WORDS * 4});
let generation = 0;
Atomics.add(words, ${READY}, 1);
Atomics.notify(words, ${READY});
for (;;) {
  for (let spin = 0; Atomics.load(words, ${GENERATION}) === generation; spin++) {
    if (spin > ${SPINS}) Atomics.wait(words, ${GENERATION}, generation);
  }
  generation = Atomics.load(words, ${GENERATION});
  if (words[${KERNEL}] === ${STOP}) break;
  try {
    const call = functions[names[words[${KERNEL}]]];
    for (let piece = thread; piece < words[${PIECES}]; piece += threads) {
      const start = piece * ${MAXIMUM_ARGUMENTS};
      call(...values.subarray(start, start + words[${ARGUMENTS}]));
    }
  } catch {
    Atomics.store(words, ${FAILED}, 1);
  }
  Atomics.add(words, ${DONE}, 1);
  Atomics.notify(words, ${DONE});
}
`;

/** Threads that share the heap. They do not keep the process alive. */
export async function createThreadPool(
  module: WebAssembly.Module,
  functions: KernelFunctions,
  memory: WebAssembly.Memory,
  threads: number,
): Promise<KernelPool> {
  const { Worker } = await import('node:worker_threads');
  const control = new SharedArrayBuffer(CONTROL_WORDS * 4 + MAXIMUM_PIECES * MAXIMUM_ARGUMENTS * 8);
  const words = new Int32Array(control, 0, CONTROL_WORDS);
  const values = new Float64Array(control, CONTROL_WORDS * 4);
  const names = Object.keys(functions)
    .filter((name) => typeof functions[name] === 'function')
    .sort();
  let failure: Error | undefined;
  const workers: Worker[] = [];
  for (let thread = 1; thread < threads; thread++) {
    const worker = new Worker(workerSource, {
      eval: true,
      workerData: { module, memory, control, thread, threads },
    });
    worker.on('error', (error) => {
      failure = error;
    });
    worker.unref();
    workers.push(worker);
  }
  const started = Date.now();
  while (Atomics.load(words, READY) < threads - 1) {
    if (failure !== undefined || Date.now() - started > 30_000) {
      throw new LocalgradError(
        'backend-unavailable',
        `The kernels' threads did not start: ${failure?.message ?? 'no answer in 30 s'}.`,
      );
    }
    await new Promise((resolve) => setTimeout(resolve, 1));
  }

  return {
    threads,
    run(kernel, pieces, argumentsOf) {
      const call = functions[kernel] as (...values: number[]) => void;
      if (pieces === 1) {
        call(...argumentsOf(0));
        return;
      }
      if (pieces > MAXIMUM_PIECES) throw new RangeError(`${pieces} pieces; at most ${MAXIMUM_PIECES}.`);
      const own: (readonly number[])[] = [];
      for (let piece = 0; piece < pieces; piece++) {
        const list = argumentsOf(piece);
        if (piece % threads === 0) own.push(list);
        values.set(list, piece * MAXIMUM_ARGUMENTS);
        words[ARGUMENTS] = list.length;
      }
      words[KERNEL] = names.indexOf(kernel);
      words[PIECES] = pieces;
      Atomics.store(words, DONE, 0);
      Atomics.add(words, GENERATION, 1);
      Atomics.notify(words, GENERATION);
      for (const list of own) call(...list);
      waitForAll(words, threads - 1, kernel);
    },
    dispose() {
      words[KERNEL] = STOP;
      Atomics.add(words, GENERATION, 1);
      Atomics.notify(words, GENERATION);
    },
  };
}

function waitForAll(words: Int32Array, others: number, kernel: string): void {
  const started = Date.now();
  for (let spin = 0; ; spin++) {
    const done = Atomics.load(words, DONE);
    if (done === others) break;
    if (spin > 20_000) Atomics.wait(words, DONE, done, 100);
    if (spin > 20_000 && Date.now() - started > TIMEOUT_MILLISECONDS) {
      throw new LocalgradError('backend-unavailable', `A thread of the wasm kernels died in '${kernel}'.`, { kernel });
    }
  }
  if (Atomics.load(words, FAILED) !== 0) {
    throw new LocalgradError('backend-unavailable', `The wasm kernel '${kernel}' failed on a thread.`, { kernel });
  }
}
