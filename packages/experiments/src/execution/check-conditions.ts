import { join } from 'node:path';
import { selectBackend } from '@localgrad/backends';
import { LocalgradError, locatedMessageOf, rejectUnknownKeys } from '@localgrad/core';
import {
  checkOutput,
  checkRun,
  configProblemOf,
  differencesInFolder,
  identifyRun,
  type RunConfig,
  type RunIdentity,
  runConfigSchema,
} from '@localgrad/runs';
import { type Experiment, type PlannedCondition, placesIn } from '../files/experiment.js';
import { isEnded } from '../sweep/run-limits.js';
import { runFolderOf, type Sweep } from '../sweep/sweep-folder.js';
import type { SweepStatus } from '../sweep/sweep-status.js';
import { chosenConditions } from './chosen-conditions.js';
import { DataCache } from './data-cache.js';

/** Options of `checkConditions`. */
export interface ConditionCheckOptions extends Omit<CheckOptions, 'file'> {
  /** Name of the experiment file, for messages. Default: its copy in the sweep's folder. */
  readonly file?: string | undefined;
  /** Flag that names the folder, for messages. Default `--folder`. */
  readonly option?: string | undefined;
  /** Check only conditions with these names, as patterns. Default: all. */
  readonly only?: readonly string[] | undefined;
  /** Receives a warning about finished runs of other conditions whose inputs have changed. */
  readonly onProblem?: ((message: string) => void) | undefined;
}

/**
 * Finds what would go wrong later, before the first run: checks each condition that has runs left, and compares the inputs
 * of finished runs (images, method files, initial weights) with those that are there now.
 *
 * @throws LocalgradError that names every condition that cannot run, or finished runs with other inputs; `invalid-option`
 */
export async function checkConditions(
  sweep: Sweep,
  { tasks }: SweepStatus,
  options: ConditionCheckOptions = {},
): Promise<void> {
  rejectUnknownKeys('checkConditions', options, ['file', 'threads', 'runsHere', 'option', 'only', 'onProblem']);
  const { file = join(sweep.folder, 'experiment.yaml'), option = '--folder', only, onProblem, ...checks } = options;
  const data = new DataCache();
  const chosen = chosenConditions(sweep.conditions, only);
  await checkFinished(sweep, tasks, { data, option, chosen, onProblem });
  const left = new Set(
    tasks.flatMap(({ status, task }) => (isEnded(status) && status !== 'failed' ? [] : [task.condition])),
  );
  const conditions = chosen.filter(({ key }) => left.has(key));
  if (conditions.length === 0) return;
  for (const { config } of conditions) {
    await checkOutput(runConfigSchema.parse({ ...config, seed: 1 }), { folder: sweep.folder, option });
  }
  const backend = await selectBackend('cpu');
  try {
    await checkConfigs({ ...sweep, conditions }, { ...checks, file }, data);
  } finally {
    backend.dispose();
  }
}

export interface CheckOptions {
  readonly file: string;
  readonly threads?: number | undefined;
  readonly runsHere?: boolean | undefined;
}

/**
 * Checks every condition of an experiment on the backend that runs.
 *
 * @throws LocalgradError with one line for each condition that cannot run, each with its place in the file
 */
export async function checkConfigs(
  { conditions, source, overrides }: Pick<Experiment, 'conditions' | 'source' | 'overrides'>,
  { file, ...options }: CheckOptions,
  data: DataCache,
): Promise<void> {
  const problems: { readonly line: string; readonly error: LocalgradError }[] = [];
  for (const { name, config: json } of conditions) {
    const config = runConfigSchema.parse({ ...json, seed: 1 });
    try {
      await checkRun(config, await data.of(config), options);
    } catch (caught) {
      const error = LocalgradError.isInstance(caught)
        ? caught
        : new LocalgradError('misuse', locatedMessageOf(caught), {}, { cause: caught });
      const place = placesIn(source, file, overrides)(name, configProblemOf(error)?.key ?? 'method');
      problems.push({ line: `${place}: condition '${name}' cannot run: ${error.message}`, error });
    }
  }
  const [first] = problems;
  if (first === undefined) return;
  const lines = problems.map(({ line }) => line);
  throw new LocalgradError(first.error.code, lines.join('\n'), { problems: lines }, { cause: first.error });
}

/** Largest number of runs that a message lists. */
const mostListed = 100;

interface FinishedCheck extends Required<Pick<ConditionCheckOptions, 'option' | 'onProblem'>> {
  readonly data: DataCache;
  readonly chosen: Sweep['conditions'];
}

/**
 * Results of other images than the ones that are named now must not stand beside new ones. Those of conditions that are not chosen
 * stay where they are: their changes are reported, but prevent no run.
 */
async function checkFinished(
  sweep: Sweep,
  tasks: SweepStatus['tasks'],
  { data, option, chosen, onProblem }: FinishedCheck,
): Promise<void> {
  const deciding = decidingConditions(sweep, chosen);
  const found: string[] = [];
  const others: string[] = [];
  for (const { task, status } of tasks) {
    if (status !== 'finished') continue;
    const folder = runFolderOf(sweep, task);
    const identity = await currentIdentity(runConfigSchema.parse(task.config), data);
    const differences = identity === undefined ? [] : await differencesInFolder(folder, identity);
    if (differences.length === 0) continue;
    const line = `'${task.name}' (${folder}): ${differences.join('; ')}`;
    if (deciding.has(task.condition)) found.push(line);
    else others.push(line);
  }
  if (others.length > 0) {
    onProblem?.(
      `Finished runs of other conditions had other inputs. Remove their folders before you compare them with new results:\n${listOf(others)}`,
    );
  }
  if (found.length === 0) return;
  throw new LocalgradError(
    'invalid-option',
    `Finished runs had other inputs. Remove their folders to run them again, or use another ${option}:\n${listOf(found)}`,
    { folder: sweep.folder, runs: found },
  );
}

/** Keys of the conditions whose finished runs the runs of the chosen ones depend on. */
function decidingConditions(
  { conditions, earlyStopping }: Sweep,
  chosen: readonly PlannedCondition[],
): ReadonlySet<string> {
  // Early stopping compares a run with those of all conditions, and a choice depends on all candidates.
  const settings = new Set(chosen.flatMap(({ setting }) => setting ?? []));
  const deciding = earlyStopping === null ? conditions.filter(({ setting = '' }) => settings.has(setting)) : conditions;
  return new Set([...chosen, ...deciding].map(({ key }) => key));
}

/** Each run with its folder, which has to be removed. */
function listOf(lines: readonly string[]): string {
  const more = lines.length > mostListed ? [`and ${lines.length - mostListed} more`] : [];
  return [...lines.slice(0, mostListed), ...more].join('\n');
}

/** Undefined if the inputs of a finished run are no longer available, so that nothing can be compared. */
async function currentIdentity(config: RunConfig, data: DataCache): Promise<RunIdentity | undefined> {
  try {
    return await identifyRun(config, await data.of(config));
  } catch (error) {
    if (!LocalgradError.isInstance(error)) throw error;
    return undefined;
  }
}
