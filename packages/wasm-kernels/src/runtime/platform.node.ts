import { availableParallelism } from 'node:os';
import { setFlagsFromString } from 'node:v8';

/** Number of threads that the backend can use. */
export function availableThreads(): number {
  return availableParallelism();
}

/** Why only one thread can be used; undefined if more can. */
export function threadObstacle(): string | undefined {
  return undefined;
}

/** Enables relaxed SIMD in Node 20. Read at every compilation, in this thread and in others; other engines ignore it. */
export function enableRelaxedSimd(): void {
  setFlagsFromString('--experimental-wasm-relaxed-simd');
}

/** Runs `start`, which starts the stock backend. TensorFlow.js finds its files in Node. */
export function withStockFiles<T>(_paths: string | undefined, start: () => Promise<T>): Promise<T> {
  return start();
}

/** How to make the files of TensorFlow.js accessible, for messages. */
export function filesHint(_paths: string | undefined): string {
  return '';
}
