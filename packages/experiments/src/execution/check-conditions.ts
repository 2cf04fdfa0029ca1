import { join } from 'node:path';
import { selectBackend } from '@localgrad/backends';
import { LocalgradError, locatedMessageOf } from '@localgrad/core';
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
import { type Experiment, placesIn } from '../files/experiment.js';
import { isEnded } from '../sweep/run-limits.js';
import { runFolderOf, type Sweep } from '../sweep/sweep-folder.js';
import type { SweepStatus } from '../sweep/sweep-status.js';
import { DataCache } from './data-cache.js';

/**
 * Finds what would go wrong later, before the first run: checks each condition that has runs left, and compares the inputs
 * of finished runs (images, method files, initial weights) with those that are there now.
 *
 * @param options `file`: name of the experiment file, for messages; default: its copy in the sweep's folder. `threads`: of runs
 * whose config says `auto`. `runsHere`: whether their backends must be available on this machine. `option`:
 * the flag that names the folder.
 * @throws LocalgradError that names every condition that cannot run, or finished runs with other inputs
 */
export async function checkConditions(
  sweep: Sweep,
  { tasks }: SweepStatus,
  {
    file = join(sweep.folder, 'experiment.yaml'),
    option = '--folder',
    ...options
  }: Omit<CheckOptions, 'file'> & { readonly file?: string | undefined; readonly option?: string | undefined } = {},
): Promise<void> {
  const data = new DataCache();
  await checkFinished(sweep, tasks, data, option);
  const left = new Set(
    tasks.flatMap(({ status, task }) => (isEnded(status) && status !== 'failed' ? [] : [task.condition])),
  );
  const conditions = sweep.conditions.filter(({ key }) => left.has(key));
  if (conditions.length === 0) return;
  for (const { config } of conditions) {
    await checkOutput(runConfigSchema.parse({ ...config, seed: 1 }), { folder: sweep.folder, option });
  }
  const backend = await selectBackend('cpu');
  try {
    await checkConfigs({ ...sweep, conditions }, { ...options, file }, data);
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

/** Largest number of runs that an error lists. */
const mostListed = 100;

/** Results of other images than the ones that are named now must not stand beside new ones. */
async function checkFinished(
  sweep: Sweep,
  tasks: SweepStatus['tasks'],
  data: DataCache,
  option: string,
): Promise<void> {
  const found: string[] = [];
  for (const { task, status } of tasks) {
    if (status !== 'finished') continue;
    const folder = runFolderOf(sweep, task);
    const identity = await currentIdentity(runConfigSchema.parse(task.config), data);
    const differences = identity === undefined ? [] : await differencesInFolder(folder, identity);
    if (differences.length > 0) found.push(`'${task.name}' (${folder}): ${differences.join('; ')}`);
  }
  if (found.length === 0) return;
  // Each run with its folder, which has to be removed.
  const lines = found.slice(0, mostListed);
  if (found.length > mostListed) lines.push(`and ${found.length - mostListed} more`);
  throw new LocalgradError(
    'invalid-option',
    `Finished runs had other inputs. Remove their folders to run them again, or use another ${option}:\n${lines.join('\n')}`,
    { folder: sweep.folder, runs: found },
  );
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
