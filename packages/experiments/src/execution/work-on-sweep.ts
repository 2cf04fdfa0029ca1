import { LocalgradError, rejectUnknownKeys } from '@localgrad/core';
import type { Sweep } from '../sweep/sweep-folder.js';
import { readSweepStatus } from '../sweep/sweep-status.js';
import { workOn } from '../sweep/work.js';
import { type LeftRun, leftRuns } from './left-runs.js';
import { blockedIn } from './median-rule.js';
import { TaskRunner, type WorkerMessage } from './task-runner.js';

export interface WorkerOptions {
  readonly sweep: Sweep;
  /** Only these runs, by index in `tasks.jsonl`. Default: all. */
  readonly tasks?: readonly number[] | undefined;
  /** Threads of runs whose config says `auto`. */
  readonly threads?: number | undefined;
  /** Wait for the runs of other workers, to take over those that are lost. Default true. */
  readonly wait?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onEvent?: ((event: WorkerMessage) => void) | undefined;
}

const optionNames = [
  'sweep',
  'tasks',
  'threads',
  'wait',
  'signal',
  'onEvent',
] as const satisfies readonly (keyof WorkerOptions)[];

export interface WorkerResult {
  readonly folder: string;
  /** Number of runs that this worker finished. */
  readonly finished: number;
  /** Runs among its tasks that are not finished. */
  readonly left: readonly LeftRun[];
  /** Whether no run is left; with `wait: false`, the runs of other workers do not count. */
  readonly passed: boolean;
}

/**
 * One worker: works on a sweep until nothing is left. Any number of workers, on all machines that share the folder, may
 * work on one sweep.
 *
 * @throws LocalgradError `invalid-option` for tasks that the sweep never had; the signal's reason after the run is saved
 */
export async function workOnSweep(options: WorkerOptions): Promise<WorkerResult> {
  rejectUnknownKeys('workOnSweep', options, optionNames);
  const { sweep, threads, wait = true, signal, onEvent = () => {} } = options;
  const tasks = options.tasks === undefined ? undefined : knownTasks(sweep, options.tasks, onEvent);
  const runner = new TaskRunner({ sweep, threads, signal, report: onEvent });
  try {
    const finished = await workOn({
      sweep,
      wait,
      execute: (task, runFolder) => runner.run(task, runFolder),
      isBlocked: blockedIn(sweep),
      ...(signal === undefined ? {} : { signal }),
      ...(tasks === undefined ? {} : { tasks }),
    });
    const status = await readSweepStatus(sweep);
    const left = leftRuns(sweep, status).filter(({ index }) => tasks?.includes(index) ?? true);
    const missed = wait ? left : left.filter((run) => run.status !== 'running');
    return { folder: sweep.folder, finished, left, passed: missed.length === 0 };
  } finally {
    runner.dispose();
  }
}

/** Jobs in a scheduler's queue may be older than the experiment file: tasks that it no longer has are skipped. */
function knownTasks(
  sweep: Sweep,
  wanted: readonly number[],
  onEvent: (event: WorkerMessage) => void,
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
    onEvent({ type: 'problem', message: `task ${index} is no longer part of the experiment and is skipped` });
  }
  return wanted.filter((index) => known.has(index));
}
