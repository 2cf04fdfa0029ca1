import { multiplyAccumulatesOf } from '@localgrad/nn/cost';
import { buildPlan, describeRun, type RunConfig } from '@localgrad/runs';
import type { DataCache } from './data-cache.js';

/** What a run costs, as far as it follows from its config. */
export interface Costs {
  readonly unitsOfWork: number;
  readonly predictedPeakBytes: number;
  /** Multiply-accumulates of a whole run. */
  readonly work: number;
}

/** Creates the network of a run with zeros as weights; the backend must be running. */
export async function costOf(config: RunConfig, data: DataCache): Promise<Costs> {
  const { train: images } = await data.of(config);
  const plan = await buildPlan(config, images, { zeros: true });
  try {
    const { totals } = describeRun(plan, config);
    const forward = plan.compiled.modules.reduce((sum, module) => sum + multiplyAccumulatesOf(module), 0);
    const { unitsOfWork, predictedPeakBytes } = totals;
    return { unitsOfWork, predictedPeakBytes, work: unitsOfWork * forward * images.size * config.epochs };
  } finally {
    plan.dispose();
  }
}
