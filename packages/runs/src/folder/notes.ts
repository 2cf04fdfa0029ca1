import { listAttempts } from './attempts.js';
import { Claim } from './claim.js';
import { thisProcess } from './process-identity.js';
import { lookForSummary } from './run-state.js';

/**
 * Records a failure before the run could start, e.g. because of missing images. It counts like a failure of the run itself,
 * so that retries end. Does nothing if another process is working on the run.
 */
export async function noteFailure(runFolder: string, message: string): Promise<void> {
  const claim = await Claim.acquire(runFolder);
  await claim?.release('failed', message);
}

/**
 * Records that a process of this machine was lost while starting a run: a process that ends before it has claimed the run
 * leaves no trace itself. Does nothing if its claim or the result exists.
 *
 * @returns whether it counts against the run; false if another process is working on it
 */
export async function noteLoss(runFolder: string, pid: number, message: string): Promise<boolean> {
  if ((await lookForSummary(runFolder)).summary !== undefined) return true;
  const last = (await listAttempts(runFolder)).at(-1);
  const { host } = thisProcess();
  if (last?.outcome === undefined && last?.owner.pid === pid && last.owner.host === host) return true;
  const claim = await Claim.acquire(runFolder);
  await claim?.release('lost', message);
  return claim !== undefined;
}

/** Resets the counts of failures and losses of a run; their records stay. */
export async function forgetFailures(runFolder: string): Promise<void> {
  const claim = await Claim.acquire(runFolder);
  await claim?.release('reset');
}
