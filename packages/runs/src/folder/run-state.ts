import { join } from 'node:path';
import type { RunSummary } from '../run-summary.js';
import { type Attempt, type ClaimOptions, listAttempts } from './attempts.js';
import { readJsonIfThere } from './files.js';

/**
 * - `finished`: its summary is there
 * - `running`: a process is at work on it
 * - `failed`: it has failed as often as is allowed
 * - `interrupted`: it was begun, and can be taken up
 * - `waiting`: nobody has begun it
 */
export type RunStatus = 'finished' | 'running' | 'failed' | 'interrupted' | 'waiting';

export interface RetryLimits {
  /** How often a run that failed with an error is tried again. Default 2. */
  readonly retries?: number;
  /** How many processes in a row may be killed at a run without a checkpoint in between. Default 3. */
  readonly losses?: number;
}

export interface RunState {
  readonly status: RunStatus;
  readonly attempts: readonly Attempt[];
  /** How many processes in a row were killed at it without a checkpoint in between. */
  readonly losses: number;
  /** Message of the last failure. */
  readonly message?: string;
}

/** What the files of a run's folder say; schedulers are not asked. */
export async function readRunState(
  folder: string,
  limits: RetryLimits = {},
  options: ClaimOptions = {},
): Promise<RunState> {
  const attempts = await listAttempts(folder, options);
  const counting = attempts.slice(attempts.findLastIndex(({ outcome }) => outcome === 'reset') + 1);
  const failures = counting.filter(({ outcome }) => outcome === 'failed');
  const losses = lossesInARow(counting);
  const message = failures.at(-1)?.message;
  const state = (status: RunStatus, text = message): RunState => ({
    status,
    attempts,
    losses,
    ...(text === undefined ? {} : { message: text }),
  });
  if ((await readSummary(folder)) !== undefined) return { status: 'finished', attempts, losses: 0 };
  if (attempts.length === 0) return state('waiting');
  if (attempts.at(-1)?.isActive === true) return state('running');
  if (failures.length > (limits.retries ?? 2)) return state('failed');
  if (losses > (limits.losses ?? 3)) {
    return state('failed', `its process was killed ${losses} times in a row before it had made a checkpoint`);
  }
  return state('interrupted');
}

export function readSummary(folder: string): Promise<RunSummary | undefined> {
  return readJsonIfThere<RunSummary>(join(folder, 'summary.json'));
}

function lossesInARow(attempts: readonly Attempt[]): number {
  let losses = 0;
  for (const { outcome, checkpointStep, isActive } of [...attempts].reverse()) {
    const isLost = outcome === undefined || outcome === 'lost';
    if (isActive || !isLost || checkpointStep !== undefined) break;
    losses++;
  }
  return losses;
}
