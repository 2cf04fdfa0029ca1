import { setImmediate } from 'node:timers/promises';
import type { ProgressStream } from '@localgrad/train';

/** Output for progress, and a signal that ends a benchmark early. */
export interface Terminal {
  readonly stderr: ProgressStream;
  readonly signal?: AbortSignal;
}

/**
 * Called between measurements. Steps of synchronous backends never return to the event loop, in which signals are received: it gets
 * a turn first.
 *
 * @throws the signal's reason, once it is aborted
 */
export async function stopIfAsked(signal: AbortSignal | undefined): Promise<void> {
  await setImmediate();
  signal?.throwIfAborted();
}
