import { type PoolThread, type ThreadData, workerProgram } from './worker.js';

const source = `onmessage = ({ data: { module, memory, block, names, thread } }) => {${workerProgram}close();};`;

/** Starts threads as web workers. `onEnd` is called with the reason when a thread dies. */
export function startThreads(count: number, data: ThreadData, onEnd: (reason: string) => void): PoolThread[] {
  const url = URL.createObjectURL(new Blob([source], { type: 'text/javascript' }));
  const threads = Array.from({ length: count }, (_, index) => {
    const worker = new Worker(url);
    worker.onerror = ({ message }) => onEnd(message);
    worker.postMessage({ ...data, thread: index + 1 });
    return worker;
  });
  // The workers fetch the URL after this turn.
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
  return threads;
}
