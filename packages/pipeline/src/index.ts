export {
  type AsynchronousPipeline,
  type AsynchronousPipelineOptions,
  createAsynchronousPipeline,
} from './asynchronous/pipeline.js';
export { asynchronousPlacement } from './asynchronous/placement.js';
export type { WorkerTurn } from './asynchronous/turn.js';
export type { Receiver, Sender } from './channel.js';
export { type Crossing, crossingsOf, type FollowedWeight } from './crossings.js';
export { describeParts, type PartDescription } from './describe.js';
export {
  balancedPlacement,
  checkDivisible,
  checkOptimizer,
  groupsToDivide,
  indivisibleGroups,
  moduleWork,
} from './divide.js';
export type { LinkLimits } from './machines/connection.js';
export { MachineGroup, type MachineGroupOptions } from './machines/group.js';
export { type Address, addressText, type Facts } from './machines/hello.js';
export { findMember, type Member, type MemberOptions } from './machines/member.js';
export type { Security, TlsFiles } from './machines/security.js';
export { type ServeOptions, serveWorker } from './machines/served-worker.js';
export type { WorkerPlan } from './part-worker.js';
export { createPipeline, type Pipeline, type PipelineOptions, placementOf } from './pipeline.js';
export { formatPlacement, type PlacedGroup, type Placement, parsePlacement } from './placement.js';
export { type MeasureOptions, measureGroups } from './times/measure-groups.js';
export type { TimingLimits } from './times/time-groups.js';
export { runWorker, type WorkerBackend } from './worker-thread.js';
