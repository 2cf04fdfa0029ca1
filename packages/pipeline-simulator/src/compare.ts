import { simulateDataParallel } from './data-parallel.js';
import type { Forecast } from './forecast.js';
import { type LocalPipelineOptions, simulateLocalPipeline } from './local-pipeline.js';
import type { Machines, ModuleCost } from './machines.js';
import { type MicroBatchOptions, simulateGpipe, simulateOneForwardOneBackward } from './micro-batches.js';

/**
 * Predicts training of one network on the same machines with every strategy.
 *
 * @throws RangeError for impossible costs and machines
 */
export function compareStrategies(
  modules: readonly ModuleCost[],
  machines: Machines,
  options: LocalPipelineOptions & MicroBatchOptions = {},
): Forecast[] {
  return [
    simulateLocalPipeline(modules, machines, options),
    simulateDataParallel(modules, machines),
    simulateGpipe(modules, machines, options),
    simulateOneForwardOneBackward(modules, machines, options),
  ];
}
