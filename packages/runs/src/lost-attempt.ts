import { join } from 'node:path';
import { removeCheckpoints } from './checkpoints/checkpoint-folder.js';
import { type Attempt, listAttempts } from './folder/attempts.js';
import { Claim } from './folder/claim.js';
import { lookForSummary } from './folder/run-state.js';

export const checkpointsIn = (folder: string) => join(folder, 'checkpoints');

export interface FinishedRun {
  readonly folder: string;
  readonly onProblem?: (message: string) => void;
}

/** Ends what a process began to end that was killed after it had written the summary. */
export async function endLostAttempt({ folder, onProblem }: FinishedRun, keepsCheckpoints: boolean): Promise<void> {
  try {
    const last = (await listAttempts(folder)).at(-1);
    if (last === undefined || last.isActive || last.outcome === 'finished') return;
    const claim = await Claim.acquire(folder);
    if (claim === undefined) return;
    // Somebody may have started over, and have been killed, since the look.
    const isFinished = (await lookForSummary(folder)).summary !== undefined;
    try {
      if (isFinished) await clearAfter(last, claim, folder, keepsCheckpoints);
    } finally {
      await claim.release(isFinished ? 'finished' : 'stopped');
    }
  } catch (error) {
    // The result is there, also in a folder that may only be read.
    onProblem?.(`What an interrupted attempt left in '${folder}' stays there: ${(error as Error).message}`);
  }
}

/** Whoever ended as it should has kept what it was told to keep: nothing is removed after it. */
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
