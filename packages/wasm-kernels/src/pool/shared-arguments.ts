import type { EvenPieces, KernelFunction } from './pool.js';
import { control, maximumArguments, maximumPieces, slotLength } from './worker.js';

/** Writes the arguments of each piece into its slot. */
export function writeArguments(
  words: Int32Array,
  values: Float64Array,
  pieces: number,
  argumentsOf: (piece: number) => readonly number[],
): void {
  if (pieces > maximumPieces) throw new RangeError(`${pieces} pieces; at most ${maximumPieces}.`);
  for (let piece = 0; piece < pieces; piece++) {
    const list = argumentsOf(piece);
    setLength(words, list.length);
    values.set(list, piece * slotLength);
  }
  words[control.firstBound] = -1;
}

/** Writes the arguments that all pieces share, and how the bounds of each are computed. */
export function writeEvenArguments(
  words: Int32Array,
  values: Float64Array,
  { size, items }: EvenPieces,
  before: readonly number[],
  after: readonly number[],
): void {
  setLength(words, before.length + 2 + after.length);
  values.set(before);
  values.set(after, before.length + 2);
  words[control.firstBound] = before.length;
  words[control.size] = size;
  words[control.items] = items;
}

function setLength(words: Int32Array, length: number): void {
  if (length > maximumArguments) throw new RangeError(`${length} arguments; at most ${maximumArguments}.`);
  words[control.arguments] = length;
}

/** Reads the arguments of a piece into memory of the calling thread, as the workers' program does, and adds the thread's number, 0. */
export function readArguments(words: Int32Array, values: Float64Array, piece: number, own: Float64Array): void {
  const length = words[control.arguments] as number;
  const firstBound = words[control.firstBound] as number;
  const start = firstBound < 0 ? piece * slotLength : 0;
  for (let at = 0; at < length; at++) own[at] = values[start + at] as number;
  if (firstBound >= 0) {
    const size = words[control.size] as number;
    own[firstBound] = piece * size;
    own[firstBound + 1] = Math.min(words[control.items] as number, (piece + 1) * size);
  }
  own[length] = 0;
}

/** Calls a kernel with values that are written out, since spreading them takes as long as a small piece; those after its last parameter it ignores. */
export function callWith(kernel: KernelFunction, own: Float64Array): void {
  const call = kernel as (...values: unknown[]) => void;
  // biome-ignore format: three lines of seven
  call(
    own[0], own[1], own[2], own[3], own[4], own[5], own[6],
    own[7], own[8], own[9], own[10], own[11], own[12], own[13],
    own[14], own[15], own[16], own[17], own[18], own[19], own[20],
  );
}
