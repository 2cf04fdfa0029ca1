import { join } from 'node:path';
import { type BackendHandle, selectBackend } from '@localgrad/backends';
import * as tf from '@tensorflow/tfjs';
import { afterAll, beforeAll } from 'vitest';
import { bundleProgram } from './bundle.fixture.js';

/** Bundles the program of workers for the tests of a file, and starts their backend, wasm with one thread, in this thread, too. */
export function useWorkers(): { readonly program: URL } {
  let bundle: Awaited<ReturnType<typeof bundleProgram>>;
  let backend: BackendHandle;
  beforeAll(async () => {
    bundle = await bundleProgram(join(import.meta.dirname, 'worker.fixture.ts'));
    backend = await selectBackend('wasm', { threads: 1 });
  }, 120_000);
  afterAll(async () => {
    backend.dispose();
    bundle.remove();
    await tf.setBackend('cpu');
  });
  return {
    get program() {
      return bundle.program;
    },
  };
}
