import { selectBackend } from '@localgrad/backends';
import { LocalgradError } from '@localgrad/core';
import { buildPlan, type RunConfig, runConfigSchema } from '@localgrad/runs';
import type { Sweep } from '../sweep/sweep-folder.js';
import type { SweepStatus } from '../sweep/sweep-status.js';
import { DataCache } from './data-cache.js';

/**
 * Builds the plan of each condition that has runs left, so that what cannot be built is found before the first run and not
 * hours later. Needs the images' shape, and so the data set.
 *
 * @throws LocalgradError of the first condition that cannot be run, with its name
 */
export async function checkConditions(sweep: Sweep, { tasks }: SweepStatus): Promise<void> {
  const left = new Map(tasks.flatMap(({ status, task }) => (status === 'finished' ? [] : [[task.condition, task]])));
  if (left.size === 0) return;
  const data = new DataCache();
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
