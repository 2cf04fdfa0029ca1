import { describePlan, type PlanDescription } from '@localgrad/engine';
import { type OptimizerConfig, optimizerOf } from './config/optimization.js';
import type { RunConfig } from './config/run-config.js';
import type { BuiltPlan } from './prepare-run.js';

/** Predicted work and memory of a run's plan, with its own optimizer and micro-batches. @throws LocalgradError */
export function describeRun(
  { compiled, catalog }: Pick<BuiltPlan, 'compiled' | 'catalog'>,
  config: OptimizerConfig & Pick<RunConfig, 'batch' | 'accumulate'>,
): PlanDescription {
  const { batch, accumulate } = config;
  const optimizer = optimizerOf(config, catalog);
  try {
    return describePlan(compiled, batch, { optimizer, accumulate });
  } finally {
    optimizer.dispose();
  }
}
