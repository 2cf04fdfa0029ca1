import { setTimeout as delay } from 'node:timers/promises';
import { errorCodeOf } from '../caught.js';

/** Codes of Windows for a file that another process has open, if only for a moment: a scanner, an indexer, or a worker that reads. */
const busyCodes: readonly unknown[] = ['EPERM', 'EACCES', 'EBUSY'];

/** Milliseconds before each further attempt: 2.5 seconds in all. */
const pauses: readonly number[] = [10, 20, 40, 80, 160, 320, 640, 1280];

export interface BusyOptions {
  /** Default: that of this process. */
  readonly platform?: NodeJS.Platform;
  /** Milliseconds before each further attempt. */
  readonly pauses?: readonly number[];
}

/**
 * Repeats a call that renames, removes or reads a file while Windows rejects it since another process has the file open. Other
 * systems allow that, and `work` is called once.
 *
 * @throws the error of the last attempt
 */
export async function whileBusy<Result>(work: () => Promise<Result>, options: BusyOptions = {}): Promise<Result> {
  for (const pause of pausesOf(options)) {
    try {
      return await work();
    } catch (error) {
      if (!busyCodes.includes(errorCodeOf(error))) throw error;
      await delay(pause);
    }
  }
  return work();
}

/** `whileBusy` for synchronous calls; blocks the thread between attempts. */
export function whileBusySync<Result>(work: () => Result, options: BusyOptions = {}): Result {
  for (const pause of pausesOf(options)) {
    try {
      return work();
    } catch (error) {
      if (!busyCodes.includes(errorCodeOf(error))) throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, pause);
    }
  }
  return work();
}

function pausesOf(options: BusyOptions): readonly number[] {
  return (options.platform ?? process.platform) === 'win32' ? (options.pauses ?? pauses) : [];
}
