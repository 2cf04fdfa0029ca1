/**
 * Layout of the block of shared memory between a pool and its workers: 32-bit control words, then the arguments of each
 * piece as doubles.
 */
export const control = {
  /** Incremented with each call; workers wait on it. */
  generation: 0,
  /** Number of pieces that are not yet taken; the thread that decrements it from a positive value takes that piece. */
  left: 1,
  /** Number of completed pieces; the caller waits on it. */
  done: 2,
  /** Number of workers that have started. */
  ready: 3,
  /** Index of the kernel in the list of names, or `stop`. */
  kernel: 4,
  pieces: 5,
  /** Arguments of each piece. */
  arguments: 6,
  /** Set when a kernel throws. */
  failed: 7,
  /** Number of workers that sleep, or are about to: only those have to be notified. */
  asleep: 8,
  /** Where even pieces have their bounds among the arguments, which they share otherwise; −1: each piece has arguments of its own. */
  firstBound: 9,
  /** Number of items of an even piece, and of all. */
  size: 10,
  items: 11,
  /** Even, so that doubles can follow. */
  words: 12,
} as const;

export const maximumPieces = 256;
export const maximumArguments = 20;
/** Values of a piece: its arguments, and the number of the thread that takes it. */
export const slotLength = maximumArguments + 1;
export const stop = -1;
export const blockBytes = control.words * 4 + maximumPieces * slotLength * 8;

/**
 * Polls before a thread sleeps: about 20 µs, less than the time between most kernels of a step. With ten times as many, steps are 2 to
 * 9 % faster on idle cores, but take 1.2 × the time where three processes share two cores.
 */
export const spins = 4_000;

/** What a worker needs to run kernels. */
export interface ThreadData {
  readonly module: WebAssembly.Module;
  readonly memory: WebAssembly.Memory;
  /** Shared memory with the layout of `control`. */
  readonly block: SharedArrayBuffer;
  /** Names of the kernels, by index. */
  readonly names: readonly string[];
}

/** A thread of a pool. */
export interface PoolThread {
  terminate(): unknown;
}

// As in `callWith`.
const writtenOut = Array.from({ length: slotLength }, (_, at) => `own[${at}]`).join(', ');

/**
 * The program of the workers, as a string so that bundlers need no second file. Reads the constants `module`, `memory`, `block`
 * and `names` of `ThreadData`, and `thread`, the number of its thread, from 1 on: 0 is the caller's.
 *
 * A worker takes a piece before it reads the piece's number, kernel and arguments: the caller writes them before it
 * publishes the pieces, and publishes new ones only after all old ones are done. A worker that wakes late therefore finds
 * no piece, or takes part in the next call.
 */
export const workerProgram = `
const functions = new WebAssembly.Instance(module, { env: { memory, abort() { throw new Error('abort'); } } }).exports;
const kernels = names.map((name) => functions[name]);
const words = new Int32Array(block, 0, ${control.words});
const values = new Float64Array(block, ${control.words * 4});
const own = new Float64Array(${slotLength});
let generation = 0;
Atomics.add(words, ${control.ready}, 1);
for (;;) {
  for (let spin = 0; Atomics.load(words, ${control.generation}) === generation; spin++) {
    if (spin <= ${spins}) continue;
    Atomics.add(words, ${control.asleep}, 1);
    Atomics.wait(words, ${control.generation}, generation);
    Atomics.sub(words, ${control.asleep}, 1);
  }
  generation = Atomics.load(words, ${control.generation});
  if (Atomics.load(words, ${control.kernel}) === ${stop}) break;
  for (let left; (left = Atomics.sub(words, ${control.left}, 1)) > 0; ) {
    const piece = words[${control.pieces}] - left;
    const length = words[${control.arguments}];
    const firstBound = words[${control.firstBound}];
    const start = firstBound < 0 ? piece * ${slotLength} : 0;
    for (let at = 0; at < length; at++) own[at] = values[start + at];
    if (firstBound >= 0) {
      own[firstBound] = piece * words[${control.size}];
      own[firstBound + 1] = Math.min(words[${control.items}], (piece + 1) * words[${control.size}]);
    }
    own[length] = thread;
    try {
      kernels[words[${control.kernel}]](${writtenOut});
    } catch {
      Atomics.store(words, ${control.failed}, 1);
    }
    if (Atomics.add(words, ${control.done}, 1) + 1 === words[${control.pieces}]) Atomics.notify(words, ${control.done});
  }
}
`;
