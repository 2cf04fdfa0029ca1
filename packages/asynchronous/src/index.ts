export { asynchronous } from './asynchronous-step.js';
export { type BufferDescription, type BuffersDescription, bufferTargets, describeBuffers } from './buffer-bytes.js';
export { checkLocal } from './check-local.js';
export { parseAsynchronous } from './expression.js';
export {
  type AsynchronousOptions,
  type Order,
  resolveAsynchronous,
  type Sampling,
  type SlowModule,
} from './options.js';
export { predictAsynchronous } from './prediction.js';
export { type BufferRules, ReplayBuffer, type ReplayBufferState, readRandom } from './replay-buffer.js';
export { AsynchronousSchedule, type ScheduleOptions, type Turn } from './schedule.js';
export { timingOf } from './timing.js';
export { type CountedTurn, type ModuleTiming, TurnCounter } from './turn-counter.js';
