// A thread that ends the process if one input takes too long. Processor time does not depend on what else the machine does;
// the limit of wall time is for a reader that waits for what never comes.
import { writeSync } from 'node:fs';
import { workerData } from 'node:worker_threads';

const longestProcessorSeconds = 30;
const longestSeconds = 600;
const interval = 500;

/** @type {{ name: string, seed: number, progress: Int32Array }} `progress` contains the index of the current input, from 1; 0: none */
const { name, seed, progress } = workerData;
let watched = 0;
let start = now();

setInterval(() => {
  const current = Atomics.load(progress, 0);
  if (current === 0 || current !== watched) {
    watched = current;
    start = now();
    return;
  }
  const { processor, wall } = now();
  const used = processor - start.processor;
  if (used < longestProcessorSeconds && wall - start.wall < longestSeconds) return;
  writeSync(2, `${name}: input ${current - 1} of seed ${seed} hangs, after ${used.toFixed(1)} s of processor time.\n`);
  process.kill(process.pid, 'SIGKILL');
}, interval);

function now() {
  const { user, system } = process.cpuUsage();
  return { processor: (user + system) / 1e6, wall: performance.now() / 1000 };
}
