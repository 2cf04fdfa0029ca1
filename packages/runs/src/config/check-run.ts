import { buildPlan } from '../build-plan.js';
import { loadInitialWeights } from '../load-initial-weights.js';
import type { RunSplits } from '../run-images.js';
import { checkBackend } from './check-backend.js';
import { checkImages } from './check-images.js';
import { checkMetric } from './check-metric.js';
import { checkNames } from './check-names.js';
import { checkThreads } from './check-threads.js';
import { checkDelays } from './gradient-delay.js';
import type { NameOptions } from './resolve-names.js';
import type { RunConfig } from './run-config.js';

/**
 * Validates a run without training: names, expressions, sizes, the plan, initial weights. Needs a running backend, on which
 * weights are created temporarily.
 *
 * @param options `threads`: number of threads if the config says `auto`; `runsHere`: whether the run's own backend must be available
 * on this machine
 * @throws LocalgradError with the key of the config, if one is the cause
 */
export async function checkRun(
  config: RunConfig,
  data: RunSplits,
  {
    threads,
    runsHere = false,
    ...names
  }: NameOptions & { readonly threads?: number | undefined; readonly runsHere?: boolean | undefined } = {},
): Promise<void> {
  await checkNames(config, names);
  if (runsHere) await checkBackend(config);
  await checkThreads(config, threads);
  checkImages(config, data);
  const plan = await buildPlan(config, data.train, { ...names, zeros: true });
  try {
    checkDelays(config, plan.compiled);
    await checkMetric(config, plan.compiled, data.train);
    const { initialWeights, initialPart: part = 'network' } = config;
    if (initialWeights !== undefined) {
      await loadInitialWeights(plan.network, plan.compiled.parameters.values(), initialWeights, { part });
    }
  } finally {
    plan.dispose();
  }
}
