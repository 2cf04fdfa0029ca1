import { selectBackend } from '@localgrad/backends';
import { LocalgradError } from '@localgrad/core';
import {
  buildPlan,
  differencesInFolder,
  identifyRun,
  type RunConfig,
  type RunIdentity,
  runConfigSchema,
} from '@localgrad/runs';
import { runFolderOf, type Sweep } from '../sweep/sweep-folder.js';
import type { SweepStatus } from '../sweep/sweep-status.js';
import { DataCache } from './data-cache.js';

/**
 * Finds what would go wrong later, before the first run: builds the plan of each condition that has runs left, and compares
 * the inputs of finished runs (images, method files, initial weights) with those that are there now.
 *
 * @throws LocalgradError of the first condition that cannot run, with its name, or of finished runs with other inputs
 */
export async function checkConditions(sweep: Sweep, { tasks }: SweepStatus): Promise<void> {
  const data = new DataCache();
  await checkFinished(sweep, tasks, data);
  const left = new Map(tasks.flatMap(({ status, task }) => (status === 'finished' ? [] : [[task.condition, task]])));
  if (left.size === 0) return;
  const backend = await selectBackend('cpu');
  try {
    for (const { condition, config } of left.values()) {
      const name = sweep.conditions.find(({ key }) => key === condition)?.name ?? condition;
      await checkConfig(runConfigSchema.parse(config), name, data);
    }
  } finally {
    backend.dispose();
  }
}

/** Results of other images than the ones that are named now must not stand beside new ones. */
async function checkFinished(sweep: Sweep, tasks: SweepStatus['tasks'], data: DataCache): Promise<void> {
  const found: string[] = [];
  for (const { task, status } of tasks) {
    if (status !== 'finished') continue;
    const folder = runFolderOf(sweep, task);
    const identity = await currentIdentity(runConfigSchema.parse(task.config), data);
    const differences = identity === undefined ? [] : await differencesInFolder(folder, identity);
    if (differences.length > 0) found.push(`'${task.name}' (${folder}): ${differences.join('; ')}`);
  }
  const [first] = found;
  if (first === undefined) return;
  const others = found.length === 1 ? '' : `, and ${found.length - 1} more`;
  throw new LocalgradError(
    'invalid-option',
    `Finished runs had other inputs: ${first}${others}. Remove their folders to run them again, or use another --folder.`,
    { folder: sweep.folder, runs: found },
  );
}

/** Undefined where the inputs of a finished run are no longer available: then there is nothing to compare with. */
async function currentIdentity(config: RunConfig, data: DataCache): Promise<RunIdentity | undefined> {
  try {
    return await identifyRun(config, await data.of(config));
  } catch (error) {
    if (!LocalgradError.isInstance(error)) throw error;
    return undefined;
  }
}

async function checkConfig(config: RunConfig, name: string, data: DataCache): Promise<void> {
  try {
    const { train } = await data.of(config);
    const plan = await buildPlan(config, train.imageShape, train.classes.length);
    plan.dispose();
  } catch (error) {
    if (!LocalgradError.isInstance(error)) throw error;
    throw new LocalgradError(
      error.code,
      `Condition '${name}' cannot be run: ${error.message}`,
      { ...error.details, condition: name },
      { cause: error },
    );
  }
}
