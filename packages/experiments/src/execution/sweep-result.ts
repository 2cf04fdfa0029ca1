import type { TaskStatus } from '../sweep/run-limits.js';
import { conditionNameOf, runFolderOf, type Sweep } from '../sweep/sweep-folder.js';
import { readSweepStatus, type SweepStatus } from '../sweep/sweep-status.js';
import { type DivergedRun, divergedRuns } from './diverged-runs.js';
import { type LeftRun, leftRuns } from './left-runs.js';

export interface RunProblem {
  readonly name: string;
  /** Name of its condition. */
  readonly condition: string;
  readonly folder: string;
  readonly message: string;
}

/** State of a sweep according to its files. */
export interface SweepResult {
  readonly name: string;
  readonly folder: string;
  readonly runs: number;
  readonly counts: Readonly<Record<TaskStatus, number>>;
  /** Finished runs that diverged; their accuracies are not results. */
  readonly diverged: readonly DivergedRun[];
  /** Runs that were stopped early, and why; they are not results either. */
  readonly stopped: readonly RunProblem[];
  /** Runs that failed for good, and why. */
  readonly failures: readonly RunProblem[];
  /** Runs with damaged files, and the damage. They are repeated. */
  readonly unreadable: readonly RunProblem[];
  /** Runs that are neither finished nor failed for good. */
  readonly left: readonly LeftRun[];
}

/** @param status if it was just read */
export async function summarizeSweep(sweep: Sweep, status?: SweepStatus): Promise<SweepResult> {
  const known = status ?? (await readSweepStatus(sweep));
  const withStatus = (wanted: TaskStatus) =>
    known.tasks.flatMap(({ task, status: found, message }) =>
      found === wanted
        ? [
            {
              name: task.name,
              condition: conditionNameOf(sweep, task),
              folder: runFolderOf(sweep, task),
              message: message ?? 'unknown',
            },
          ]
        : [],
    );
  return {
    name: sweep.name,
    folder: sweep.folder,
    runs: known.tasks.length,
    counts: known.counts,
    diverged: await divergedRuns(sweep, known),
    stopped: withStatus('stopped'),
    failures: withStatus('failed'),
    unreadable: withStatus('unreadable'),
    left: leftRuns(sweep, known).filter((run) => run.status !== 'failed'),
  };
}
