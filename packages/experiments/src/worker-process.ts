import { parseArgs } from 'node:util';
import { LocalgradError } from '@localgrad/core';
import { enableProdMode } from '@tensorflow/tfjs';
import { describeMessage } from './execution/describe-message.js';
import { interruption } from './execution/interruption.js';
import { openSweep } from './execution/open-sweep.js';
import { OutputWatch } from './execution/output-watch.js';
import type { WorkerMessage } from './execution/task-runner.js';
import { workOnSweep } from './execution/work-on-sweep.js';
import { hasParent, tellParent, withParent } from './execution/worker-channel.js';

// The program of a worker: `node worker-process.js worker FOLDER [--task 0,3] [--threads N]`. Exit code 0: nothing is left.
enableProdMode();

const signal = interruption();
// A parent that has ended no longer reads.
const stderr = new OutputWatch(process.stderr);

function onEvent(message: WorkerMessage): void {
  if (hasParent()) void tellParent(message);
  else if (message.type !== 'progress') process.stderr.write(`${describeMessage(message)}\n`);
}

async function work(): Promise<number> {
  const { values, positionals } = parseArgs({
    options: { task: { type: 'string' }, threads: { type: 'string' } },
    allowPositionals: true,
  });
  const sweep = await openSweep(positionals.at(-1) ?? '.');
  const { passed } = await workOnSweep({
    sweep,
    tasks: values.task?.split(',').map(Number),
    threads: values.threads === undefined ? undefined : Number(values.threads),
    signal: withParent(signal),
    onEvent,
  });
  await tellParent({ type: 'done' });
  return passed ? 0 : 1;
}

const exitCode = await work().catch((error: unknown) => {
  // A failure of the file system or the network has nothing to do with its place in the program.
  const isKnown = LocalgradError.isInstance(error) || (error instanceof Error && 'syscall' in error);
  const text = error instanceof Error ? ((isKnown ? error.message : error.stack) ?? error.message) : String(error);
  process.stderr.write(`localgrad: ${text}\n`);
  return signal.aborted ? 130 : 1;
});
// Idle threads of a backend would keep the process alive; what was written to stderr has to arrive first.
await stderr.flush();
process.exit(exitCode);
