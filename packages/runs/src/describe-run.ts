import {
  type BuffersDescription,
  describeBuffers,
  type ModuleTiming,
  predictAsynchronous,
  timingOf,
} from '@localgrad/asynchronous';
import { describePlan, type PlanDescription } from '@localgrad/engine';
import { asynchronousPlacement } from '@localgrad/pipeline';
import type { BuiltPlan } from './build-plan.js';
import { type OptimizerConfig, optimizerOf } from './config/optimization.js';
import type { RunConfig } from './config/run-config.js';
import { divided } from './pipeline/divided.js';
import { isPipelined } from './pipeline/is-pipelined.js';

/** Replay buffers, and how often and on which batches modules train. */
export interface AsynchronyDescription extends BuffersDescription {
  /** Absent where workers train at their own pace, which is not predicted. */
  readonly timing?: readonly ModuleTiming[];
}

export interface RunDescription extends PlanDescription {
  /** Present for asynchronous training. */
  readonly asynchrony?: AsynchronyDescription;
}

/**
 * Predicted work and memory of a run's plan, with its own optimizer, micro-batches and replay buffers. Units of work are those of
 * a step in which every module trains once.
 *
 * @throws LocalgradError
 */
export function describeRun(
  { compiled, catalog, asynchrony: options }: Pick<BuiltPlan, 'compiled' | 'catalog' | 'asynchrony'>,
  config: OptimizerConfig &
    Pick<RunConfig, 'batch' | 'accumulate' | 'seed'> &
    Partial<Pick<RunConfig, 'workers' | 'placement'>>,
): RunDescription {
  const { batch, accumulate, seed, workers = 1, placement } = config;
  const optimizer = optimizerOf(config, catalog);
  try {
    const description = describePlan(compiled, batch, { optimizer, accumulate });
    if (options === undefined) return description;
    if (isPipelined({ workers, placement })) {
      const groups = divided(() => asynchronousPlacement(compiled, placement ?? workers));
      const storing = typeof groups === 'string' ? [] : groups.slice(0, -1).map(({ range }) => range[1]);
      return { ...description, asynchrony: describeBuffers(compiled, options, batch, storing) };
    }
    const buffers = describeBuffers(compiled, options, batch);
    const timing = timingOf({ ...options, modules: compiled.modules.length, seed });
    const predictedPeakBytes = predictAsynchronous(compiled, options, batch, { optimizer, accumulate }).peakBytes;
    return {
      ...description,
      totals: { ...description.totals, predictedPeakBytes },
      asynchrony: { ...buffers, timing },
    };
  } finally {
    optimizer.dispose();
  }
}
