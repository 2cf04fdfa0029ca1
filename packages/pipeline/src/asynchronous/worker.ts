import type { BufferRules } from '@localgrad/asynchronous';
import { ringReceiver } from '../channel.js';
import type { Report, WorkerPlan } from '../part-worker.js';
import { SharedRing } from '../ring.js';
import type { ThreadStart } from '../worker-thread.js';
import { SharedControl } from './control.js';
import { runAsynchronousPart } from './part.js';
import { SharedReplayBuffer } from './shared-buffer.js';

/** What a worker of asynchronous training receives besides its part of the plan. */
export interface AsynchronousStart {
  /** Index of the worker, from 0. */
  readonly worker: number;
  readonly rules: BufferRules;
  /** Memory of a `SharedControl`. */
  readonly control: SharedArrayBuffer;
  readonly pace: number;
}

/** Trains the modules of a worker that was started for asynchronous training: its `ends` are buffers, but for the first input. */
export function runStart(
  { range, accumulate, seed, tensors, ends }: ThreadStart,
  { worker, rules, control, pace }: AsynchronousStart,
  plan: WorkerPlan & { report(report: Report): void },
): Promise<void> {
  const bufferOf = (memory: SharedArrayBuffer) => new SharedReplayBuffer(rules, memory);
  return runAsynchronousPart({
    ...plan,
    ...{ worker, range, accumulate, seed, tensors, pace },
    input: worker === 0 ? ringReceiver(new SharedRing(ends.input)) : bufferOf(ends.input),
    ...(ends.output === undefined ? {} : { output: bufferOf(ends.output) }),
    control: new SharedControl(control),
  });
}
