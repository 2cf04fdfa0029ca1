import { LocalgradError } from '@localgrad/core';
import { workOn } from '@localgrad/experiments';
import { formatSeconds } from '@localgrad/train';
import { type Command, InvalidArgumentError } from 'commander';
import type { Presenter } from '../present.js';
import { openSweep } from '../sweep/open-sweep.js';
import { TaskRunner, type WorkerMessage } from '../sweep/task-runner.js';
import type { Terminal } from '../terminal.js';
import { wholeNumber } from '../whole-number.js';

interface WorkerFlags {
  readonly task?: readonly number[];
  readonly threads?: number;
  readonly wait?: boolean;
}

export interface WorkerReport {
  readonly folder: string;
  /** Runs that this worker finished. */
  readonly finished: number;
}

/** Works on a sweep until nothing is left. Started by hand on machines that share a folder, or by an executor. */
export async function work(path: string, flags: WorkerFlags, terminal: Terminal): Promise<WorkerReport> {
  const sweep = await openSweep(path);
  const unknown = flags.task?.find((index) => index >= sweep.tasks.length);
  if (unknown !== undefined) {
    throw new LocalgradError(
      'invalid-option',
      `There is no task ${unknown} in '${sweep.folder}'. Allowed: 0 to ${sweep.tasks.length - 1}.`,
    );
  }
  const signal = withParent(terminal.signal);
  const runner = new TaskRunner({ sweep, threads: flags.threads, signal, report: reporterFor(terminal) });
  try {
    const finished = await workOn({
      sweep,
      execute: (task, runFolder) => runner.run(task, runFolder),
      signal,
      ...(flags.task === undefined ? {} : { tasks: flags.task }),
      ...(flags.wait === undefined ? {} : { wait: flags.wait }),
    });
    return { folder: sweep.folder, finished };
  } finally {
    runner.dispose();
  }
}

/** A worker without the process that started it stops at a checkpoint: nobody would see it any more. */
function withParent(signal: AbortSignal | undefined): AbortSignal {
  const orphan = new AbortController();
  if (process.send !== undefined) {
    process.once('disconnect', () =>
      orphan.abort(new LocalgradError('misuse', 'The process that started this worker has ended.')),
    );
  }
  return signal === undefined ? orphan.signal : AbortSignal.any([signal, orphan.signal]);
}

function reporterFor(terminal: Terminal): (message: WorkerMessage) => void {
  if (process.send !== undefined) {
    return (message) => {
      // Without a listener, a parent that has just ended would be an uncaught error here.
      if (process.connected) process.send?.(message, undefined, undefined, () => {});
    };
  }
  return (message) => {
    if (message.type === 'progress') return;
    terminal.stderr.write(`${describeMessage(message)}\n`);
  };
}

export function describeMessage(message: Exclude<WorkerMessage, { type: 'progress' }>): string {
  switch (message.type) {
    case 'task-start':
      return `started   ${message.name}`;
    case 'problem':
      return `note      ${message.message}`;
    case 'task-end': {
      const accuracy = message.testAccuracy;
      const result =
        accuracy === undefined || accuracy === null ? '' : `  test accuracy ${(100 * accuracy).toFixed(1)} %`;
      const why = message.message === undefined ? '' : `: ${message.message}`;
      return `${message.outcome.padEnd(9)} ${message.name}  ${formatSeconds(message.seconds)}${result}${why}`;
    }
  }
}

function taskIndex(text: string, before: readonly number[] = []): number[] {
  const indices = text.split(',').map(Number);
  if (!indices.every((index) => Number.isInteger(index) && index >= 0)) {
    throw new InvalidArgumentError(`They must be whole numbers from 0 on, separated by commas, not '${text}'.`);
  }
  return [...before, ...indices];
}

export function registerWorker(program: Command, terminal: Terminal, present: Presenter): void {
  program
    .command('worker')
    .summary('work on the runs of a sweep, beside other workers')
    .description(
      'Works on a sweep until nothing is left. Any number of workers may do so, on all machines that share the folder:\n' +
        'each claims a run, goes on from its last checkpoint, and takes over what others have lost.',
    )
    .argument(
      '<sweep>',
      "folder of the sweep, which 'localgrad sweep run' or 'localgrad sweep prepare' makes, or the experiment file",
    )
    .option('--task <index...>', 'only these runs, by index in tasks.jsonl (0,3,5)', taskIndex)
    .option('--threads <number>', 'threads of runs whose config says auto', wholeNumber)
    .option('--no-wait', 'end when all that is left is in the hands of other workers')
    .action((path: string, flags: WorkerFlags) =>
      present(
        () => work(path, flags.wait === true ? { ...flags, wait: flags.task === undefined } : flags, terminal),
        ({ finished }) => `finished ${finished} runs`,
      ),
    );
}
