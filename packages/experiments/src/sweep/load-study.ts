import { readRun } from '../results/read-run.js';
import type { FinishedRun, Study, UnreadableRun } from '../results/study.js';
import { runFolderOf, type Sweep } from './sweep-folder.js';

/**
 * Reads a sweep with all available results. A run with broken files is listed as unreadable.
 *
 * @param commands further commands to list after those that created the sweep
 */
export async function loadStudy(sweep: Sweep, commands: readonly string[] = []): Promise<Study> {
  const runs = new Map<string, FinishedRun[]>();
  const unreadable = new Map<string, UnreadableRun[]>();
  for (const task of sweep.tasks) {
    const run = await readRun(runFolderOf(sweep, task), task.seed);
    if (run === undefined) continue;
    if ('summary' in run) runs.set(task.condition, [...(runs.get(task.condition) ?? []), run]);
    else unreadable.set(task.condition, [...(unreadable.get(task.condition) ?? []), run]);
  }
  const { name, title, description, factors, compare, reference, source, seeds } = sweep;
  return {
    name,
    title,
    description,
    factors,
    compare,
    reference,
    source,
    commands: [...sweep.commands, ...commands],
    conditions: sweep.conditions.map((condition) => ({
      ...condition,
      seeds,
      runs: runs.get(condition.key) ?? [],
      unreadable: unreadable.get(condition.key) ?? [],
    })),
  };
}
