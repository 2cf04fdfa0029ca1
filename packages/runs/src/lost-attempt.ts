import { join } from 'node:path';
import { messageOf } from '@localgrad/core';
import { removeCheckpoints } from './checkpoints/checkpoint-folder.js';
import { type Attempt, listAttempts } from './folder/attempts.js';
import { Claim } from './folder/claim.js';
import { lookForSummary } from './folder/run-state.js';

export const checkpointsIn = (folder: string) => join(folder, 'checkpoints');

export interface FinishedRun {
  readonly folder: string;
  readonly onProblem?: (message: string) => void;
}

/** Completes the cleanup of a process that was killed after it had written the summary. */
export async function endLostAttempt({ folder, onProblem }: FinishedRun, keepsCheckpoints: boolean): Promise<void> {
  try {
    const last = (await listAttempts(folder)).at(-1);
    if (last === undefined || last.isActive || last.outcome === 'finished') return;
    const claim = await Claim.acquire(folder);
    if (claim === undefined) return;
    // Another process may have started over and been killed since the check.
    const isFinished = (await lookForSummary(folder)).summary !== undefined;
    try {
      if (isFinished) await clearAfter(last, claim, folder, keepsCheckpoints);
    } finally {
      await claim.release(isFinished ? 'finished' : 'stopped');
    }
  } catch (error) {
    // The result exists, even if the folder is read-only.
    onProblem?.(`Files of an interrupted attempt in '${folder}' could not be removed: ${messageOf(error)}`);
  }
}

/** A process that exits normally has already applied the retention policy, so nothing is removed afterwards. */
export async function clearAfter(
  attempt: Attempt | undefined,
  claim: Claim,
  folder: string,
  keepsCheckpoints: boolean,
): Promise<void> {
  if (attempt === undefined || attempt.outcome === 'finished' || keepsCheckpoints) return;
  await claim.assertHeld();
  await removeCheckpoints(checkpointsIn(folder), claim.attempt);
}
