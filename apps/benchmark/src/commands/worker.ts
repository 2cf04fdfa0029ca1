import { LocalgradError } from '@localgrad/core';
import {
  hasParent,
  type LeftRun,
  leftRuns,
  openSweep,
  readSweepStatus,
  renderLeft,
  type Sweep,
  TaskRunner,
  tellParent,
  type WorkerMessage,
  withParent,
  workOn,
} from '@localgrad/experiments';
import { formatSeconds } from '@localgrad/train';
import { type Command, InvalidArgumentError } from 'commander';
import type { Presenter } from '../present.js';
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
  /** Runs that it was to see finished and that are not. */
  readonly left: readonly LeftRun[];
  /** False where runs are left; those that others are at work on do not count where it was told not to wait for them. */
  readonly passed: boolean;
}

/** Works on a sweep until nothing is left. Started by hand on machines that share a folder, or by an executor. */
export async function work(path: string, flags: WorkerFlags, terminal: Terminal): Promise<WorkerReport> {
  const sweep = await openSweep(path);
  const report = reporterFor(terminal);
  const tasks = flags.task === undefined ? undefined : knownTasks(sweep, flags.task, report);
  const signal = withParent(terminal.signal);
  const runner = new TaskRunner({ sweep, threads: flags.threads, signal, report });
  try {
    const finished = await workOn({
      sweep,
      execute: (task, runFolder) => runner.run(task, runFolder),
      signal,
      ...(tasks === undefined ? {} : { tasks }),
      ...(flags.wait === undefined ? {} : { wait: flags.wait }),
    });
    const status = await readSweepStatus(sweep);
    const left = leftRuns(sweep, status).filter(({ index }) => tasks?.includes(index) ?? true);
    const missed = flags.wait === false ? left.filter((run) => run.status !== 'running') : left;
    await tellParent({ type: 'done' });
    return { folder: sweep.folder, finished, left, passed: missed.length === 0 };
  } finally {
    runner.dispose();
  }
}

/** Jobs in a scheduler's queue may be older than the experiment file: what it wants no more is passed over. */
function knownTasks(
  sweep: Sweep,
  wanted: readonly number[],
  report: (message: WorkerMessage) => void,
): readonly number[] {
  const known = new Set(sweep.tasks.map(({ index }) => index));
  const unknown = wanted.find((index) => index >= sweep.nextIndex);
  if (unknown !== undefined) {
    throw new LocalgradError(
      'invalid-option',
      `There is no task ${unknown} in '${sweep.folder}'. Allowed: 0 to ${sweep.nextIndex - 1}.`,
    );
  }
  for (const index of wanted) {
    if (known.has(index)) continue;
    report({ type: 'problem', message: `task ${index} is no part of the experiment any more, and is passed over` });
  }
  return wanted.filter((index) => known.has(index));
}

function reporterFor(terminal: Terminal): (message: WorkerMessage) => void {
  if (hasParent()) return (message) => void tellParent(message);
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
  const parts = text.split(',');
  // `Number('')` would be task 0: what a script hands over whose variable is empty.
  if (!parts.every((part) => /^\d+$/.test(part))) {
    throw new InvalidArgumentError(`They must be whole numbers from 0 on, separated by commas, not '${text}'.`);
  }
  return [...before, ...parts.map(Number)];
}

export function registerWorker(program: Command, terminal: Terminal, present: Presenter): void {
  program
    .command('worker')
    .summary('work on the runs of a sweep, beside other workers')
    .description(
      'Works on a sweep until nothing is left. Any number of workers may do so, on all machines that share the folder:\n' +
        'each claims a run, goes on from its last checkpoint, and takes over what others have lost. The exit code is 1\n' +
        'where a run is not finished in the end.',
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
        () => work(path, flags, terminal),
        ({ finished, left }) => [`finished ${finished} runs`, ...renderLeft(left)].join('\n'),
      ),
    );
}
