import { LocalgradError } from '@localgrad/core';

/** A compiled kernel module's functions; arguments are numbers and byte offsets. */
export type KernelFunctions = Readonly<Record<string, KernelFunction>>;
export type KernelFunction = (...values: number[]) => unknown;

/** Items in even pieces: piece p has those from p·size to min(items, (p + 1)·size). */
export interface EvenPieces {
  /** Number of pieces. */
  readonly count: number;
  readonly size: number;
  readonly items: number;
}

/** The first item of a piece, and the one after its last. */
export function boundsOf(
  { size, items }: Pick<EvenPieces, 'size' | 'items'>,
  piece: number,
): [first: number, end: number] {
  return [piece * size, Math.min(items, (piece + 1) * size)];
}

/** Words on the heap that earlier calls set: a piece runs only if its word is not 0. */
export interface Condition {
  /** Byte offset of the word of the first piece. */
  readonly pointer: number;
  /** Bytes to the word of the next piece; 0 if all pieces have one. */
  readonly step: 0 | 4;
}

interface CallOfPieces {
  /** Number of pieces. */
  readonly pieces: number;
  readonly condition?: Condition | undefined;
}

/** A call whose even pieces share all arguments but their bounds. */
interface EvenCall extends CallOfPieces {
  readonly before: readonly number[];
  readonly after: readonly number[];
  readonly size: number;
  readonly items: number;
}

/** Pieces of a kernel's work, with arguments of their own or with those that even pieces share. */
export type Call = (CallOfPieces & { readonly argumentsOf: (piece: number) => readonly number[] }) | EvenCall;

/**
 * Runs kernels on pieces of their work, on all threads. Calls may return before their pieces have run, but run in order: the pieces of
 * one begin when those of the one before have ended. What the host reads or writes on the heap itself, it may only after `wait`.
 */
export interface KernelPool {
  readonly threads: number;
  /** Whether all pieces of all calls have run. */
  readonly isIdle: boolean;
  /**
   * Calls `kernel(...argumentsOf(piece), thread)` for each piece 0 … pieces − 1, in any order and on any thread. Pieces must
   * be independent of each other, so that results do not depend on the threads; `thread`, 0 … threads − 1, is for scratch
   * memory that pieces of one thread share.
   *
   * @throws LocalgradError `misuse` after `dispose`, `backend-lost` if a thread died or a kernel failed
   */
  run(
    kernel: string,
    pieces: number,
    argumentsOf: (piece: number) => readonly number[],
    condition?: Condition | undefined,
  ): void;
  /**
   * Calls `kernel(...before, first, end, ...after, thread)` for each piece, with the bounds of its items; like `run`, without a list
   * of arguments for each piece, which takes as long as a small piece.
   */
  runEvenly(
    kernel: string,
    pieces: EvenPieces,
    before: readonly number[],
    after?: readonly number[],
    condition?: Condition | undefined,
  ): void;
  /**
   * Returns when all pieces have run.
   *
   * @throws LocalgradError `backend-lost` if a thread died or a kernel failed
   */
  wait(): void;
  /** Stops the threads. */
  dispose(): void;
}

/** Runs each call at once. */
export function createSingleThreadPool(functions: KernelFunctions): KernelPool {
  let isDisposed = false;
  const runCall = (kernel: string, call: Call) => {
    if (isDisposed) throw disposedError(kernel);
    runAlone(functions, findKernel(functions, kernel), call);
  };
  return {
    threads: 1,
    isIdle: true,
    run: (kernel, pieces, argumentsOf, condition) => runCall(kernel, { pieces, argumentsOf, condition }),
    runEvenly: (kernel, { count, size, items }, before, after = [], condition) =>
      runCall(kernel, { pieces: count, before, after, size, items, condition }),
    wait() {},
    dispose() {
      isDisposed = true;
    },
  };
}

/** Runs all pieces of a call on the caller's thread. */
export function runAlone(functions: KernelFunctions, kernel: KernelFunction, call: Call): void {
  const { pieces, condition } = call;
  const argumentsOf = 'argumentsOf' in call ? call.argumentsOf : evenArguments(call);
  for (let piece = 0; piece < pieces; piece++) {
    const word = condition === undefined ? 1 : functions.readWord?.(condition.pointer + condition.step * piece);
    if (word !== 0) kernel(...argumentsOf(piece), 0);
  }
}

/** Arguments of even pieces, in one list that each piece changes: a list of its own takes as long as a small piece. */
function evenArguments({ before, after, size, items }: EvenCall): (piece: number) => readonly number[] {
  const list = [...before, 0, 0, ...after];
  const at = before.length;
  return (piece) => {
    [list[at], list[at + 1]] = boundsOf({ size, items }, piece);
    return list;
  };
}

export function kernelNames(functions: KernelFunctions): string[] {
  return Object.keys(functions).filter((name) => typeof functions[name] === 'function');
}

/** @throws LocalgradError `misuse` if there is none of this name */
export function findKernel(functions: KernelFunctions, kernel: string): KernelFunction {
  const call = functions[kernel];
  if (call === undefined) {
    throw new LocalgradError(
      'misuse',
      `The wasm module has no kernel '${kernel}'; it has ${kernelNames(functions).join(', ')}.`,
    );
  }
  return call;
}

export function disposedError(kernel: string): LocalgradError {
  return new LocalgradError('misuse', `Kernel '${kernel}' cannot run: the wasm kernels have been disposed.`, {
    kernel,
  });
}
