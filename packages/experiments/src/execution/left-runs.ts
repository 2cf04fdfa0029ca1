import type { TaskStatus } from '../sweep/run-limits.js';
import { conditionNameOf, runFolderOf, type Sweep } from '../sweep/sweep-folder.js';
import type { SweepStatus } from '../sweep/sweep-status.js';

/** A run that the sweep needs, and that is neither finished nor stopped early. */
export interface LeftRun {
  readonly index: number;
  readonly name: string;
  /** Name of its condition. */
  readonly condition: string;
  readonly folder: string;
  readonly status: Exclude<TaskStatus, 'finished' | 'stopped' | 'skipped'>;
  /** Why it failed. */
  readonly message?: string;
}

export function leftRuns(sweep: Sweep, { tasks }: SweepStatus): LeftRun[] {
  return tasks.flatMap(({ task, status, message }): LeftRun[] => {
    if (status === 'finished' || status === 'stopped' || status === 'skipped') return [];
    const why = message === undefined ? {} : { message };
    const condition = conditionNameOf(sweep, task);
    return [{ index: task.index, name: task.name, condition, folder: runFolderOf(sweep, task), status, ...why }];
  });
}

/** One line per run, and the number of runs beyond `most`. */
export function renderLeft(runs: readonly LeftRun[], most = 10): string[] {
  const lines = runs.slice(0, most).map(({ name, folder, status, message }) => {
    return `${status.padEnd(9)} ${name}${message === undefined ? '' : `: ${message}`} (${folder})`;
  });
  return runs.length > most ? [...lines, `and ${runs.length - most} more`] : lines;
}
