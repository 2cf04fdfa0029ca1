/**
 * Layout of the shared block through which a pool talks to its workers: 32-bit control words, then each piece's
 * arguments as doubles.
 */
export const control = {
  /** Goes up with each call; workers sleep on it. */
  generation: 0,
  /** Pieces that nobody has taken; whoever counts it down from a positive value owns that piece. */
  left: 1,
  /** Pieces that are done; the caller sleeps on it. */
  done: 2,
  /** Workers that have started. */
  ready: 3,
  /** Index of the kernel among the names, or `stop`. */
  kernel: 4,
  pieces: 5,
  /** Arguments of each piece. */
  arguments: 6,
  /** Set when a kernel threw. */
  failed: 7,
  words: 8,
} as const;

export const maximumPieces = 256;
export const maximumArguments = 20;
export const stop = -1;
export const blockBytes = control.words * 4 + maximumPieces * maximumArguments * 8;

/** Looks before a thread sleeps: about 20 µs, the pause between two kernels of a step. */
export const spins = 4_000;

/**
 * The workers' program: a plain string, so that bundlers need no second file.
 *
 * A piece's number, its kernel and its arguments are read after the piece was taken: the caller writes them before it
 * offers pieces, and offers new ones only when all old ones are done. So a worker that wakes late finds nothing, or
 * takes part in the next call.
 */
export const workerSource = `
const { workerData } = require('node:worker_threads');
const { module, memory, block, names } = workerData;
const functions = new WebAssembly.Instance(module, { env: { memory, abort() { throw new Error('abort'); } } }).exports;
const words = new Int32Array(block, 0, ${control.words});
const values = new Float64Array(block, ${control.words * 4});
let generation = 0;
Atomics.add(words, ${control.ready}, 1);
for (;;) {
  for (let spin = 0; Atomics.load(words, ${control.generation}) === generation; spin++) {
    if (spin > ${spins}) Atomics.wait(words, ${control.generation}, generation);
  }
  generation = Atomics.load(words, ${control.generation});
  if (Atomics.load(words, ${control.kernel}) === ${stop}) break;
  for (let left; (left = Atomics.sub(words, ${control.left}, 1)) > 0; ) {
    const start = (words[${control.pieces}] - left) * ${maximumArguments};
    try {
      functions[names[words[${control.kernel}]]](...values.subarray(start, start + words[${control.arguments}]));
    } catch {
      Atomics.store(words, ${control.failed}, 1);
    }
    if (Atomics.add(words, ${control.done}, 1) + 1 === words[${control.pieces}]) Atomics.notify(words, ${control.done});
  }
}
`;
