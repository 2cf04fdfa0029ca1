import { type RunState, type RunStatus, readRunState } from '@localgrad/runs';
import { runFolderOf, type Sweep, type SweepTask } from './sweep-folder.js';

export interface TaskState extends RunState {
  readonly task: SweepTask;
}

export interface SweepStatus {
  readonly tasks: readonly TaskState[];
  readonly counts: Readonly<Record<RunStatus, number>>;
}

/** State of every run of a sweep according to its files. */
export async function readSweepStatus(sweep: Sweep): Promise<SweepStatus> {
  const tasks: TaskState[] = [];
  const counts: Record<RunStatus, number> = {
    finished: 0,
    running: 0,
    failed: 0,
    interrupted: 0,
    waiting: 0,
    unreadable: 0,
  };
  for (const task of sweep.tasks) {
    const state = await readRunState(runFolderOf(sweep, task), { retries: sweep.retries });
    counts[state.status]++;
    tasks.push({ task, ...state });
  }
  return { tasks, counts };
}
