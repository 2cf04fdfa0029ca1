import type { Call, KernelFunction } from './pool.js';
import {
  callLength,
  callWord,
  control,
  maximumArguments,
  maximumPieces,
  pieceLength,
  queueLength,
  spins,
  wordCount,
} from './worker.js';

/** Reads a word on the heap. */
export type ReadWord = (pointer: number) => number;

/**
 * The caller's part of a pool's queue of calls; the workers' is in worker.ts.
 *
 * Calls run in their order, one at a time: its pieces are published in `left`, and the thread that completes the last of them
 * publishes those of the next call. If there is none, the queue is empty, and the next call is published by the caller that adds it:
 * `pending`, changed atomically, tells both whose turn it is. A thread takes a piece before it reads where the call lies; all that is
 * written for a call is written before its pieces are published, and not changed until all are done. A thread that comes late
 * therefore finds no piece, or one of a later call.
 */
export class CallQueue {
  readonly #words: Int32Array;
  readonly #values: Float64Array;
  readonly #kernels: readonly KernelFunction[];
  readonly #readWord: ReadWord;
  /** Where the next call is written. */
  #tail = 0;
  readonly #own = new Float64Array(pieceLength);

  constructor(block: SharedArrayBuffer, kernels: readonly KernelFunction[], readWord: ReadWord) {
    this.#words = new Int32Array(block, 0, wordCount);
    this.#values = new Float64Array(block, wordCount * 4);
    this.#kernels = kernels;
    this.#readWord = readWord;
  }

  /** Number of calls that are not complete. */
  get pending(): number {
    return Atomics.load(this.#words, control.pending);
  }

  get isFull(): boolean {
    return this.pending >= queueLength;
  }

  /** Number of workers that run. */
  get ready(): number {
    return Atomics.load(this.#words, control.ready);
  }

  /** Adds a call; the queue must not be full. */
  add(kernel: number, call: Call): void {
    this.#write(kernel, call);
    const place = this.#tail;
    this.#tail = (place + 1) % queueLength;
    if (Atomics.add(this.#words, control.pending, 1) === 0) this.#publish(place);
  }

  /** Runs a piece of the first call, or waits at most so long for one to run; false if no thread did anything in that time. */
  help(timeoutMilliseconds: number): boolean {
    const words = this.#words;
    const generation = Atomics.load(words, control.generation);
    const done = Atomics.load(words, control.done);
    const left = Atomics.load(words, control.left) > 0 ? Atomics.sub(words, control.left, 1) : 0;
    if (left > 0) {
      this.#runPiece(left);
      return true;
    }
    for (let spin = 0; spin <= spins; spin++) if (Atomics.load(words, control.generation) !== generation) return true;
    Atomics.add(words, control.asleep, 1);
    Atomics.wait(words, control.generation, generation, timeoutMilliseconds);
    Atomics.sub(words, control.asleep, 1);
    return Atomics.load(words, control.generation) !== generation || Atomics.load(words, control.done) !== done;
  }

  /** The index of a kernel that has thrown since this was last asked. */
  takeFailure(): number | undefined {
    const failed = Atomics.load(this.#words, control.failed);
    if (failed === 0) return undefined;
    Atomics.store(this.#words, control.failed, 0);
    return failed - 1;
  }

  /** Ends the workers. */
  stop(): void {
    Atomics.store(this.#words, control.stopped, 1);
    this.#announce();
  }

  #write(kernel: number, call: Call): void {
    const words = this.#words;
    const at = control.words + this.#tail * callWord.words;
    const start = this.#tail * callLength;
    words[at + callWord.kernel] = kernel;
    words[at + callWord.pieces] = call.pieces;
    words[at + callWord.condition] = call.condition?.pointer ?? 0;
    words[at + callWord.conditionStep] = call.condition?.step ?? 0;
    if ('argumentsOf' in call) {
      if (call.pieces > maximumPieces) throw new RangeError(`${call.pieces} pieces; at most ${maximumPieces}.`);
      words[at + callWord.firstBound] = -1;
      for (let piece = 0; piece < call.pieces; piece++) {
        const list = call.argumentsOf(piece);
        this.#setLength(at, list.length);
        this.#values.set(list, start + piece * pieceLength);
      }
      return;
    }
    const { before, after, size, items } = call;
    this.#setLength(at, before.length + 2 + after.length);
    this.#values.set(before, start);
    this.#values.set(after, start + before.length + 2);
    words[at + callWord.firstBound] = before.length;
    words[at + callWord.size] = size;
    words[at + callWord.items] = items;
  }

  #setLength(at: number, length: number): void {
    if (length > maximumArguments) throw new RangeError(`${length} arguments; at most ${maximumArguments}.`);
    this.#words[at + callWord.length] = length;
  }

  /** Publishes the pieces of the call at a place, or of the first one after it that is not skipped. */
  #publish(place: number): void {
    const words = this.#words;
    for (let next = place; ; next = (next + 1) % queueLength) {
      const at = control.words + next * callWord.words;
      const condition = words[at + callWord.condition] as number;
      if (condition === 0 || words[at + callWord.conditionStep] !== 0 || this.#readWord(condition) !== 0) {
        words[control.front] = next;
        words[control.done] = 0;
        Atomics.store(words, control.left, words[at + callWord.pieces] as number);
        break;
      }
      if (Atomics.sub(words, control.pending, 1) <= 1) break;
    }
    this.#announce();
  }

  #announce(): void {
    Atomics.add(this.#words, control.generation, 1);
    // A thread that is about to sleep sees the new generation and does not.
    if (Atomics.load(this.#words, control.asleep) > 0) Atomics.notify(this.#words, control.generation);
  }

  #runPiece(left: number): void {
    const words = this.#words;
    const front = words[control.front] as number;
    const at = control.words + front * callWord.words;
    const pieces = words[at + callWord.pieces] as number;
    const piece = pieces - left;
    const kernel = words[at + callWord.kernel] as number;
    const step = words[at + callWord.conditionStep] as number;
    if (step === 0 || this.#readWord((words[at + callWord.condition] as number) + step * piece) !== 0) {
      this.#readArguments(at, front * callLength, piece);
      try {
        callWith(this.#kernels[kernel] as KernelFunction, this.#own);
      } catch {
        Atomics.compareExchange(words, control.failed, 0, kernel + 1);
      }
    }
    if (Atomics.add(words, control.done, 1) + 1 < pieces) return;
    if (Atomics.sub(words, control.pending, 1) > 1) this.#publish((front + 1) % queueLength);
    else this.#announce();
  }

  /** Reads the arguments of a piece, and adds the thread's number, 0. */
  #readArguments(at: number, callStart: number, piece: number): void {
    const words = this.#words;
    const own = this.#own;
    const length = words[at + callWord.length] as number;
    const firstBound = words[at + callWord.firstBound] as number;
    const start = callStart + (firstBound < 0 ? piece * pieceLength : 0);
    for (let index = 0; index < length; index++) own[index] = this.#values[start + index] as number;
    if (firstBound >= 0) {
      const size = words[at + callWord.size] as number;
      own[firstBound] = piece * size;
      own[firstBound + 1] = Math.min(words[at + callWord.items] as number, (piece + 1) * size);
    }
    own[length] = 0;
  }
}

/** Calls a kernel with values that are written out, since spreading them takes as long as a small piece; those after its last parameter it ignores. */
function callWith(kernel: KernelFunction, own: Float64Array): void {
  const call = kernel as (...values: unknown[]) => void;
  // biome-ignore format: three lines of seven
  call(
    own[0], own[1], own[2], own[3], own[4], own[5], own[6],
    own[7], own[8], own[9], own[10], own[11], own[12], own[13],
    own[14], own[15], own[16], own[17], own[18], own[19], own[20],
  );
}
