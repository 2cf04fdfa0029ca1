import { LocalgradError } from '@localgrad/core';
import type { WorkerMessage } from './task-runner.js';

/** Last message of a worker to its parent process: nothing is left to do. */
export interface WorkerDone {
  readonly type: 'done';
}

const parentVariable = 'LOCALGRAD_PARENT';

/** Environment of a worker whose messages this process receives. */
export function workerEnvironment(): NodeJS.ProcessEnv {
  return { ...process.env, [parentVariable]: String(process.pid) };
}

/** Whether the parent process receives messages. A channel alone does not prove it, since other programs also fork. */
export function hasParent(): boolean {
  return process.send !== undefined && process.env[parentVariable] === String(process.ppid);
}

/** Resolves when the message has been sent, or cannot be sent because the parent has exited. */
export function tellParent(message: WorkerMessage | WorkerDone): Promise<void> {
  return new Promise((resolve) => {
    if (!hasParent() || !process.connected || process.send === undefined) return resolve();
    // Without a callback, a parent that has just exited would be an uncaught error.
    process.send(message, undefined, undefined, () => resolve());
  });
}

/** A signal that also aborts when the parent process exits: an orphaned worker stops at a checkpoint. */
export function withParent(signal: AbortSignal | undefined): AbortSignal {
  const orphan = new AbortController();
  if (hasParent()) {
    process.once('disconnect', () =>
      orphan.abort(new LocalgradError('misuse', 'The process that started this worker has ended.')),
    );
  }
  return signal === undefined ? orphan.signal : AbortSignal.any([signal, orphan.signal]);
}
