import * as tf from '@tensorflow/tfjs';
import { wasmFiles } from './wasm-files.js';

/** Number of threads that the backend can use. */
export function availableThreads(): number {
  return threadObstacle() === undefined ? navigator.hardwareConcurrency : 1;
}

/** Why only one thread can be used; undefined if more can. */
export function threadObstacle(): string | undefined {
  if (globalThis.isSecureContext === false) {
    return 'threads require a secure context: serve the page over https, or open it at http://localhost';
  }
  if (!globalThis.crossOriginIsolated) {
    return 'threads require cross-origin isolation: serve the page with the headers Cross-Origin-Opener-Policy: same-origin and Cross-Origin-Embedder-Policy: require-corp';
  }
  // Waiting for threads with `Atomics.wait` is not allowed on the main thread.
  return 'WorkerGlobalScope' in globalThis ? undefined : 'threads require that the backend runs in a web worker';
}

/** Browsers have relaxed SIMD without a flag. */
export function enableRelaxedSimd(): void {}

/**
 * Runs `start`, which starts the stock backend, with the locations of its files, and without threads: under cross-origin
 * isolation, TensorFlow.js would start its threads from the source text of a function, which is broken in minified bundles.
 */
export async function withStockFiles<T>(paths: string | undefined, start: () => Promise<T>): Promise<T> {
  const { setWasmPaths } = await import('@tensorflow/tfjs-backend-wasm');
  setWasmPaths(wasmFiles(paths));
  const flag = 'WASM_HAS_MULTITHREAD_SUPPORT';
  const before = await tf.env().getAsync(flag);
  tf.env().set(flag, false);
  try {
    return await start();
  } finally {
    tf.env().set(flag, before);
  }
}

/** How to make the files of TensorFlow.js accessible, for messages. */
export function filesHint(paths: string | undefined): string {
  const [file] = Object.values(wasmFiles(paths));
  return ` It is loaded from files such as ${file}; copy the .wasm files of @tensorflow/tfjs-backend-wasm/dist to your site, and pass the URL of their folder as wasmPaths.`;
}
