export type { Receiver, Sender } from './channel.js';
export { type Crossing, crossingsOf, type FollowedWeight } from './crossings.js';
export { describeParts, type PartDescription } from './describe.js';
export { balancedPlacement, checkDivisible, indivisibleGroups, moduleWork } from './divide.js';
export type { WorkerPlan } from './part-worker.js';
export { createPipeline, type Pipeline, type PipelineOptions, placementOf } from './pipeline.js';
export { formatPlacement, type PlacedGroup, type Placement, parsePlacement } from './placement.js';
export { runWorker, type WorkerBackend } from './worker-thread.js';
