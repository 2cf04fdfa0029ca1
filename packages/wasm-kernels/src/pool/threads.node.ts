import { Worker } from 'node:worker_threads';
import { type PoolThread, type ThreadData, workerProgram } from './worker.js';

const source = `const { module, memory, block, names, thread } = require('node:worker_threads').workerData;${workerProgram}`;

/** Starts threads that do not keep the process alive. `onEnd` is called with the reason when a thread dies. */
export function startThreads(count: number, data: ThreadData, onEnd: (reason: string) => void): PoolThread[] {
  return Array.from({ length: count }, (_, index) => {
    const worker = new Worker(source, { eval: true, workerData: { ...data, thread: index + 1 } });
    worker.on('error', (error) => onEnd(error.message));
    worker.on('exit', (code) => onEnd(`it ended with code ${code}`));
    worker.unref();
    return worker;
  });
}
