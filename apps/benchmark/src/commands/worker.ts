import {
  describeMessage,
  hasParent,
  openSweep,
  renderLeft,
  tellParent,
  type WorkerMessage,
  type WorkerResult,
  withParent,
  workOnSweep,
} from '@localgrad/experiments';
import { type Command, InvalidArgumentError } from 'commander';
import type { Presenter } from '../present.js';
import { type Terminal, warn } from '../terminal.js';
import { parallelCount } from '../whole-number.js';

interface WorkerFlags {
  readonly task?: readonly number[];
  readonly threads?: number;
  readonly wait?: boolean;
}

async function work(path: string, { task, threads, wait }: WorkerFlags, terminal: Terminal): Promise<WorkerResult> {
  const onEvent = reporterFor(terminal);
  const signal = withParent(terminal.signal);
  const sweep = await openSweep(path, [], (text) => warn(terminal, text));
  const result = await workOnSweep({ sweep, tasks: task, threads, wait, signal, onEvent });
  await tellParent({ type: 'done' });
  return result;
}

function reporterFor(terminal: Terminal): (message: WorkerMessage) => void {
  if (hasParent()) return (message) => void tellParent(message);
  return (message) => {
    if (message.type === 'progress') return;
    terminal.stderr.write(`${describeMessage(message)}\n`);
  };
}

function taskIndex(text: string, before: readonly number[] = []): number[] {
  const parts = text.split(',');
  // `Number('')` is 0, so an unset variable in a script would select task 0.
  if (!parts.every((part) => /^\d+$/.test(part))) {
    throw new InvalidArgumentError(`Allowed: whole numbers from 0, separated by commas; found '${text}'.`);
  }
  return [...before, ...parts.map(Number)];
}

export function registerWorker(program: Command, terminal: Terminal, present: Presenter): void {
  program
    .command('worker')
    .summary('work on the runs of a sweep, alongside other workers')
    .description(
      'Works on a sweep until nothing is left. Any number of workers may do so, on all machines that share the folder: ' +
        'each claims a run, resumes it from its last checkpoint, and takes over runs that others have lost. Exit code 1: ' +
        'a run is not finished.',
    )
    .argument(
      '<sweep>',
      "folder of the sweep, as written by 'localgrad sweep run' or 'localgrad sweep prepare', or the experiment file",
    )
    .option('--task <index...>', 'only these runs, by index in tasks.jsonl (0,3,5)', taskIndex)
    .option('--threads <number>', 'number of threads for runs with threads: auto', parallelCount)
    .option('--no-wait', 'exit when only runs of other workers are left')
    .action((path: string, flags: WorkerFlags) =>
      present(
        () => work(path, flags, terminal),
        ({ finished, left }) => [`finished ${finished} runs`, ...renderLeft(left)].join('\n'),
      ),
    );
}
