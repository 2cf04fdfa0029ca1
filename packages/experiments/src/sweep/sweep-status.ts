import { hashOf, type RetryLimits, type RunState, type RunStatus, readRunState } from '@localgrad/runs';
import { runFolderOf, type Sweep, type SweepTask } from './sweep-folder.js';

export interface TaskState extends RunState {
  readonly task: SweepTask;
}

export interface SweepStatus {
  readonly tasks: readonly TaskState[];
  readonly counts: Readonly<Record<RunStatus, number>>;
}

/** Whether no worker will work on a run any more: it is finished, was stopped early, or has failed for good. */
export function isEnded(status: RunStatus): boolean {
  return status === 'finished' || status === 'stopped' || status === 'failed';
}

/** State of every run of a sweep according to its files. */
export async function readSweepStatus(sweep: Sweep): Promise<SweepStatus> {
  const tasks: TaskState[] = [];
  const counts: Record<RunStatus, number> = {
    finished: 0,
    stopped: 0,
    running: 0,
    failed: 0,
    interrupted: 0,
    waiting: 0,
    unreadable: 0,
  };
  for (const task of sweep.tasks) {
    const state = await readRunState(runFolderOf(sweep, task), limitsOf(sweep));
    counts[state.status]++;
    tasks.push({ task, ...state });
  }
  return { tasks, counts };
}

/** What ends the runs of a sweep apart from their last epoch. */
export function limitsOf({ retries, earlyStopping }: Pick<Sweep, 'retries' | 'earlyStopping'>): RetryLimits {
  return earlyStopping === null ? { retries } : { retries, stopRule: hashOf(earlyStopping) };
}
