import { join } from 'node:path';
import type { RunEnvironment } from '@localgrad/runs';
import { readJsonIfThere, readSummary } from '@localgrad/runs';
import type { FinishedRun, Study } from '../results/study.js';
import { runFolderOf, type Sweep } from './sweep-folder.js';

/** A sweep with all results that are there. @param commands further ones to show, after those that made the sweep */
export async function loadStudy(sweep: Sweep, commands: readonly string[] = []): Promise<Study> {
  const runs = new Map<string, FinishedRun[]>();
  for (const task of sweep.tasks) {
    const folder = runFolderOf(sweep, task);
    const summary = await readSummary(folder);
    if (summary === undefined) continue;
    const environment = (await readJsonIfThere<RunEnvironment>(join(folder, 'environment.json'))) ?? null;
    const own = runs.get(task.condition) ?? [];
    runs.set(task.condition, [...own, { folder, seed: task.seed, summary, environment }]);
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
    conditions: sweep.conditions.map((condition) => ({ ...condition, seeds, runs: runs.get(condition.key) ?? [] })),
  };
}
