import type { DatasetSplits } from '@localgrad/data';
import { buildPlan, loadInitialWeights } from '../prepare-run.js';
import { checkImages } from './check-images.js';
import { checkNames } from './check-names.js';
import type { NameOptions } from './resolve-names.js';
import type { RunConfig } from './run-config.js';

/**
 * Finds what would end a run, without training: names, expressions, sizes, the plan, initial weights. Needs a running
 * backend, where weights are created for a moment.
 *
 * @throws LocalgradError about one key of the config where it is to blame
 */
export async function checkRun(config: RunConfig, data: DatasetSplits, names: NameOptions = {}): Promise<void> {
  await checkNames(config, names);
  checkImages(config, data);
  const { imageShape, classes } = data.train;
  const plan = await buildPlan(config, imageShape, classes.length, names);
  try {
    if (config.initialWeights !== undefined) await loadInitialWeights(plan, config.initialWeights);
  } finally {
    plan.dispose();
  }
}
