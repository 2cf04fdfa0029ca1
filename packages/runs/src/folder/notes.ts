import { listAttempts } from './attempts.js';
import { Claim } from './claim.js';
import { thisProcess } from './process-identity.js';
import { lookForSummary } from './run-state.js';

/**
 * Notes a failure that came before the run could be begun, e.g. since its images are not there. It counts like one of the
 * run itself, so that nobody tries forever. Does nothing where another process is at work on the run.
 */
export async function noteFailure(runFolder: string, message: string): Promise<void> {
  const claim = await Claim.acquire(runFolder);
  await claim?.release('failed', message);
}

/**
 * Notes that a process of this machine was lost at a run: one that ends before it has claimed the run leaves no trace
 * itself. Does nothing where its claim is there, or the result.
 *
 * @returns whether it counts against the run now; not so where another process is at work on it
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

/** Earlier failures and losses of a run count no more; what is written of them stays. */
export async function forgetFailures(runFolder: string): Promise<void> {
  const claim = await Claim.acquire(runFolder);
  await claim?.release('reset');
}
