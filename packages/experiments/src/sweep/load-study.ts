import { lookForEarlyStop, lookForEnvironment, lookForIdentity, lookForSummary } from '@localgrad/runs';
import type { FinishedRun, StoppedRun, Study } from '../results/study.js';
import { limitsOf } from './run-limits.js';
import { runFolderOf, type Sweep } from './sweep-folder.js';

/**
 * A sweep with all results so far. Damaged files of a run are listed in `problems`, and cost at most that run.
 *
 * @param commands further commands to show, after those that created the sweep
 */
export async function loadStudy(sweep: Sweep, commands: readonly string[] = []): Promise<Study> {
  const runs = new Map<string, FinishedRun[]>();
  const stopped = new Map<string, StoppedRun[]>();
  const { stopRule: rule } = limitsOf(sweep);
  const problems: string[] = [];
  for (const task of sweep.tasks) {
    const folder = runFolderOf(sweep, task);
    const { summary, problem } = await lookForSummary(folder);
    if (problem !== undefined) problems.push(`Run '${task.name}' is missing: ${problem}`);
    if (summary === undefined) {
      const { stop, problem: newer } = rule === undefined ? {} : await lookForEarlyStop(folder, rule);
      if (newer !== undefined) problems.push(`Run '${task.name}' is missing: ${newer}`);
      if (stop === undefined) continue;
      const { epoch, testAccuracy, metric, reason } = stop;
      const judged = { testAccuracy, ...(metric === undefined ? {} : { metric }) };
      const own = stopped.get(task.condition) ?? [];
      stopped.set(task.condition, [...own, { folder, seed: task.seed, epoch, ...judged, reason }]);
      continue;
    }
    const { environment = null, problem: unknown } = await lookForEnvironment(folder);
    if (unknown !== undefined) problems.push(`The environment of run '${task.name}' is unknown: ${unknown}`);
    const { identity, problem: unread } = await lookForIdentity(folder);
    if (unread !== undefined) problems.push(`The inputs of run '${task.name}' are unknown: ${unread}`);
    const own = runs.get(task.condition) ?? [];
    runs.set(task.condition, [...own, { folder, seed: task.seed, summary, environment, identity }]);
  }
  const { name, title, description, factors, tune, tuneSeeds, compare, reference, source, seeds } = sweep;
  return {
    name,
    title,
    description,
    factors,
    tune,
    compare,
    reference,
    source,
    commands: [...sweep.commands, ...commands],
    problems,
    conditions: sweep.conditions.map((condition) => ({
      ...condition,
      seeds,
      ...(condition.setting === undefined ? {} : { tuneSeeds }),
      runs: runs.get(condition.key) ?? [],
      stopped: stopped.get(condition.key) ?? [],
    })),
  };
}
