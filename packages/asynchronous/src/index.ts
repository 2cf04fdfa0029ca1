export { asynchronous } from './asynchronous-step.js';
export { type BufferDescription, type BuffersDescription, describeBuffers } from './buffer-bytes.js';
export { checkLocal } from './check-local.js';
export { parseAsynchronous } from './expression.js';
export type { AsynchronousOptions, Order, Sampling, SlowModule } from './options.js';
export { type BufferRules, ReplayBuffer, type ReplayBufferState } from './replay-buffer.js';
export { AsynchronousSchedule, type ScheduleOptions, type Turn } from './schedule.js';
export { type ModuleTiming, timingOf } from './timing.js';
