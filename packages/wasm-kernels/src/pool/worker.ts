/**
 * Layout of the block of memory that the threads of a pool share: 32-bit control words, the words of each call in the queue, then
 * the arguments of each call as doubles.
 */
export const control = {
  /** Incremented when there are pieces to take, and when the queue is empty; threads without work wait on it. */
  generation: 0,
  /** Number of pieces of the first call that are not yet taken; the thread that decrements it from a positive value takes that piece. */
  left: 1,
  /** Number of completed pieces of the first call. */
  done: 2,
  /** Number of workers that have started. */
  ready: 3,
  /** Number of calls in the queue, with the one that runs. */
  pending: 4,
  /** The place in the queue of the call that runs. */
  front: 5,
  /** Index of the kernel that has thrown, plus 1. */
  failed: 6,
  /** Number of threads that sleep, or are about to: only those have to be notified. */
  asleep: 7,
  /** Set when the workers have to end. */
  stopped: 8,
  /** Even, as is `callWords`, so that doubles can follow. */
  words: 10,
} as const;

/** The words of a call. */
export const callWord = {
  /** Index of the kernel in the list of names. */
  kernel: 0,
  pieces: 1,
  /** Arguments of each piece. */
  length: 2,
  /** Where even pieces have their bounds among the arguments, which they share otherwise; −1: each piece has arguments of its own. */
  firstBound: 3,
  /** Number of items of an even piece, and of all. */
  size: 4,
  items: 5,
  /** Byte offset of the word on the heap on which the first piece depends, and the distance to that of the next; 0: all pieces run. */
  condition: 6,
  conditionStep: 7,
  words: 8,
} as const;

export const maximumPieces = 256;
export const maximumArguments = 20;
/** Values of a piece: its arguments, and the number of the thread that takes it. */
export const pieceLength = maximumArguments + 1;
/** Calls that wait for the threads, at most: what the caller computes between a few kernels. */
export const queueLength = 32;
/** Doubles of a call. */
export const callLength = maximumPieces * pieceLength;
export const wordCount = control.words + queueLength * callWord.words;
export const blockBytes = wordCount * 4 + queueLength * callLength * 8;

/**
 * Polls before a thread sleeps: about 20 µs, longer than most threads differ at the end of a call. With four times as many while calls are
 * pending, steps take 0.97 × the time on idle cores, but 1.06 × where three processes share two.
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
const writtenOut = Array.from({ length: pieceLength }, (_, at) => `own[${at}]`).join(', ');

/**
 * The program of the workers, as a string so that bundlers need no second file; call-queue.ts has the caller's part, and says why
 * it is correct. Reads the constants `module`, `memory`, `block` and `names` of `ThreadData`, and `thread`, the number of its
 * thread, from 1 on: 0 is the caller's.
 */
export const workerProgram = `
const functions = new WebAssembly.Instance(module, { env: { memory, abort() { throw new Error('abort'); } } }).exports;
const kernels = names.map((name) => functions[name]);
const words = new Int32Array(block, 0, ${wordCount});
const values = new Float64Array(block, ${wordCount * 4});
const own = new Float64Array(${pieceLength});
function publish(place) {
  for (;;) {
    const call = ${control.words} + place * ${callWord.words};
    const condition = words[call + ${callWord.condition}];
    if (condition === 0 || words[call + ${callWord.conditionStep}] !== 0 || functions.readWord(condition) !== 0) {
      words[${control.front}] = place;
      words[${control.done}] = 0;
      Atomics.store(words, ${control.left}, words[call + ${callWord.pieces}]);
      break;
    }
    if (Atomics.sub(words, ${control.pending}, 1) <= 1) break;
    place = (place + 1) % ${queueLength};
  }
  announce();
}
function announce() {
  Atomics.add(words, ${control.generation}, 1);
  if (Atomics.load(words, ${control.asleep}) > 0) Atomics.notify(words, ${control.generation});
}
function runPiece(left) {
  const front = words[${control.front}];
  const call = ${control.words} + front * ${callWord.words};
  const pieces = words[call + ${callWord.pieces}];
  const piece = pieces - left;
  const step = words[call + ${callWord.conditionStep}];
  if (step === 0 || functions.readWord(words[call + ${callWord.condition}] + step * piece) !== 0) {
    const length = words[call + ${callWord.length}];
    const firstBound = words[call + ${callWord.firstBound}];
    const start = front * ${callLength} + (firstBound < 0 ? piece * ${pieceLength} : 0);
    for (let at = 0; at < length; at++) own[at] = values[start + at];
    if (firstBound >= 0) {
      const size = words[call + ${callWord.size}];
      own[firstBound] = piece * size;
      own[firstBound + 1] = Math.min(words[call + ${callWord.items}], (piece + 1) * size);
    }
    own[length] = thread;
    try {
      kernels[words[call + ${callWord.kernel}]](${writtenOut});
    } catch {
      Atomics.compareExchange(words, ${control.failed}, 0, words[call + ${callWord.kernel}] + 1);
    }
  }
  if (Atomics.add(words, ${control.done}, 1) + 1 < pieces) return;
  if (Atomics.sub(words, ${control.pending}, 1) > 1) publish((front + 1) % ${queueLength});
  else announce();
}
Atomics.add(words, ${control.ready}, 1);
for (;;) {
  const generation = Atomics.load(words, ${control.generation});
  const left = Atomics.load(words, ${control.left}) > 0 ? Atomics.sub(words, ${control.left}, 1) : 0;
  if (left > 0) {
    runPiece(left);
    continue;
  }
  if (Atomics.load(words, ${control.stopped}) !== 0) break;
  for (let spin = 0; Atomics.load(words, ${control.generation}) === generation; spin++) {
    if (spin <= ${spins}) continue;
    Atomics.add(words, ${control.asleep}, 1);
    Atomics.wait(words, ${control.generation}, generation);
    Atomics.sub(words, ${control.asleep}, 1);
  }
}
`;
