import { readSummary } from '@localgrad/runs';
import { runFolderOf, type Sweep } from '../sweep/sweep-folder.js';
import type { SweepStatus } from '../sweep/sweep-status.js';

/** A finished run whose network is not a result. */
export interface DivergedRun {
  readonly index: number;
  readonly name: string;
  readonly folder: string;
  /** Why it counts as diverged. */
  readonly message: string;
}

/** Finished runs that diverged: reports leave them out of means. */
export async function divergedRuns(sweep: Sweep, { tasks }: SweepStatus): Promise<DivergedRun[]> {
  const found: DivergedRun[] = [];
  for (const { task, status } of tasks) {
    if (status !== 'finished') continue;
    const folder = runFolderOf(sweep, task);
    const summary = await readSummary(folder);
    if (summary?.status !== 'diverged') continue;
    found.push({ index: task.index, name: task.name, folder, message: summary.divergence ?? 'the test loss is NaN' });
  }
  return found;
}
