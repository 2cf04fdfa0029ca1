export { compareStrategies } from './compare.js';
export { simulateDataParallel } from './data-parallel.js';
export type { Forecast, Strategy } from './forecast.js';
export { type LocalPipelineOptions, simulateLocalPipeline } from './local-pipeline.js';
export type { Machines, ModuleCost } from './machines.js';
export { type MicroBatchOptions, simulateGpipe, simulateOneForwardOneBackward } from './micro-batches.js';
