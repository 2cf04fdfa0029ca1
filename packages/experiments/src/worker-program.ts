import { fileURLToPath } from 'node:url';

/**
 * The program that workers run in processes of their own: `dist/worker-process.js` of this package, beside the module that
 * this one is bundled into.
 */
export function workerProgram(): string {
  return fileURLToPath(new URL('./worker-process.js', import.meta.url));
}
