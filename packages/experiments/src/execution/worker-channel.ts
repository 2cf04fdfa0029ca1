import { LocalgradError } from '@localgrad/core';
import type { WorkerMessage } from './task-runner.js';

/** Last message of a worker to the process that started it: nothing is left that it could do. */
export interface WorkerDone {
  readonly type: 'done';
}

const parentVariable = 'LOCALGRAD_PARENT';

/** What a worker finds in its environment when this process listens to it. */
export function workerEnvironment(): NodeJS.ProcessEnv {
  return { ...process.env, [parentVariable]: String(process.pid) };
}

/** Whether this process was started by one that listens: that it has a channel says nothing, others fork, too. */
export function hasParent(): boolean {
  return process.send !== undefined && process.env[parentVariable] === String(process.ppid);
}

/** Resolves when the message is on its way, or cannot be sent: the other process may have ended. */
export function tellParent(message: WorkerMessage | WorkerDone): Promise<void> {
  return new Promise((resolve) => {
    if (!hasParent() || !process.connected || process.send === undefined) return resolve();
    // Without a listener, a parent that has just ended would be an uncaught error here.
    process.send(message, undefined, undefined, () => resolve());
  });
}

/** A worker without the process that started it stops at a checkpoint: nobody would see it any more. */
export function withParent(signal: AbortSignal | undefined): AbortSignal {
  const orphan = new AbortController();
  if (hasParent()) {
    process.once('disconnect', () =>
      orphan.abort(new LocalgradError('misuse', 'The process that started this worker has ended.')),
    );
  }
  return signal === undefined ? orphan.signal : AbortSignal.any([signal, orphan.signal]);
}
