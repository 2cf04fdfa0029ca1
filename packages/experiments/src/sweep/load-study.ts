import { lookForEnvironment, lookForSummary } from '@localgrad/runs';
import type { FinishedRun, Study } from '../results/study.js';
import { runFolderOf, type Sweep } from './sweep-folder.js';

/**
 * A sweep with all results so far. Damaged files of a run are listed in `problems`, and cost at most that run.
 *
 * @param commands further commands to show, after those that created the sweep
 */
export async function loadStudy(sweep: Sweep, commands: readonly string[] = []): Promise<Study> {
  const runs = new Map<string, FinishedRun[]>();
  const problems: string[] = [];
  for (const task of sweep.tasks) {
    const folder = runFolderOf(sweep, task);
    const { summary, problem } = await lookForSummary(folder);
    if (problem !== undefined) problems.push(`Run '${task.name}' is missing: ${problem}`);
    if (summary === undefined) continue;
    const { environment = null, problem: unknown } = await lookForEnvironment(folder);
    if (unknown !== undefined) problems.push(`The environment of run '${task.name}' is unknown: ${unknown}`);
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
    problems,
    conditions: sweep.conditions.map((condition) => ({ ...condition, seeds, runs: runs.get(condition.key) ?? [] })),
  };
}
