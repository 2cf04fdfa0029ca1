import { type RunState, readRunState } from '@localgrad/runs';
import { isEnded, limitsOf, type TaskStatus } from './run-limits.js';
import { runFolderOf, type Sweep, type SweepTask } from './sweep-folder.js';
import { type Need, Tuning } from './tuning.js';

export interface TaskState extends Omit<RunState, 'status'> {
  readonly task: SweepTask;
  readonly status: TaskStatus;
  /** Whether it can run: it waits while the values that it would run with are being chosen. */
  readonly need: Need;
}

export interface SweepStatus {
  readonly tasks: readonly TaskState[];
  readonly counts: Readonly<Record<TaskStatus, number>>;
  /** Number of runs that the sweep needs, whichever values will be chosen. */
  readonly needed: number;
  /** Number of those whose values have not been chosen. */
  readonly undecided: number;
}

/** State of every run of a sweep according to its files. */
export async function readSweepStatus(sweep: Sweep): Promise<SweepStatus> {
  const tasks: TaskState[] = [];
  const counts: Record<TaskStatus, number> = {
    finished: 0,
    stopped: 0,
    skipped: 0,
    running: 0,
    failed: 0,
    interrupted: 0,
    waiting: 0,
    unreadable: 0,
  };
  const tuning = new Tuning(sweep);
  /** One of the candidates of each will be needed. */
  const undecided = new Set<string>();
  for (const task of sweep.tasks) {
    const state = await readRunState(runFolderOf(sweep, task), limitsOf(sweep));
    const need = isEnded(state.status) ? 'run' : await tuning.needOf(task);
    const status = need === 'skip' && state.status !== 'running' ? 'skipped' : state.status;
    counts[status]++;
    tasks.push({ ...state, task, status, need });
    if (need === 'wait') undecided.add(`${tuning.settingOf(task)} ${task.seed}`);
  }
  const waiting = tasks.filter(({ need }) => need === 'wait').length;
  const needed = tasks.length - counts.skipped - waiting + undecided.size;
  return { tasks, counts, needed, undecided: undecided.size };
}
