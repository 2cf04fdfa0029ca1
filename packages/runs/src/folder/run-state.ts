import { join } from 'node:path';
import { LocalgradError } from '@localgrad/core';
import { z } from 'zod';
import { type EarlyStop, readEarlyStop } from '../early-stop.js';
import { type RunIdentity, readIdentity } from '../identity/run-identity.js';
import { environmentFormat, type RunEnvironment, type RunSummary, summaryFormat } from '../run-summary.js';
import { type Attempt, type ClaimOptions, listAttempts } from './attempts.js';
import { codeOf } from './file-system.js';
import { runFiles } from './run-folder.js';
import { readStateFile } from './state-file.js';

/**
 * - `finished`: has a summary
 * - `stopped`: was ended early by the sweep's rule; its checkpoint is kept
 * - `running`: a process is working on it
 * - `failed`: has failed as often as allowed
 * - `interrupted`: was started, and can be resumed
 * - `waiting`: has not been started
 * - `unreadable`: its files are damaged, e.g. its summary, or of a newer version; workers run it again
 */
export type RunStatus = 'finished' | 'stopped' | 'running' | 'failed' | 'interrupted' | 'waiting' | 'unreadable';

export interface RetryLimits {
  /** Number of retries of a run that failed with an error. Default 2. */
  readonly retries?: number;
  /** Number of processes that may be killed in a row without a new checkpoint. Default 3. */
  readonly losses?: number;
  /** Rule of early stopping: runs that it has stopped are not resumed. Default: none. */
  readonly stopRule?: string;
}

export interface RunState {
  readonly status: RunStatus;
  readonly attempts: readonly Attempt[];
  /** Number of processes killed in a row without a new checkpoint. */
  readonly losses: number;
  /** Message of the last failure, description of the damage, or why the run was stopped. */
  readonly message?: string;
}

/**
 * State of a run according to its files, without querying schedulers. Damaged files are a state too, so that they do not
 * hide the other runs of a sweep.
 */
export async function readRunState(
  folder: string,
  limits: RetryLimits = {},
  options: ClaimOptions = {},
): Promise<RunState> {
  try {
    return await stateOf(folder, limits, options);
  } catch (error) {
    const code = codeOf(error);
    if (code === undefined) throw error;
    return { status: 'unreadable', attempts: [], losses: 0, message: `'${folder}' cannot be read (${code})` };
  }
}

async function stateOf(folder: string, limits: RetryLimits, options: ClaimOptions): Promise<RunState> {
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
  const { summary, problem } = await lookForSummary(folder);
  if (summary !== undefined) return { status: 'finished', attempts, losses: 0 };
  if (attempts.at(-1)?.isActive === true) return state('running');
  const { stop, problem: newer } = limits.stopRule === undefined ? {} : await lookForEarlyStop(folder, limits.stopRule);
  if (newer !== undefined) return state('unreadable', newer);
  if (stop !== undefined) return state('stopped', stop.reason);
  if (failures.length > (limits.retries ?? 2)) return state('failed');
  if (losses > (limits.losses ?? 3)) {
    return state('failed', `the run was killed ${losses} times in a row before its first checkpoint`);
  }
  if (problem !== undefined) return state('unreadable', problem);
  return state(attempts.length === 0 ? 'waiting' : 'interrupted');
}

/**
 * Undefined for a run that is not finished.
 *
 * @throws LocalgradError `invalid-data` if the summary is damaged, or was copied from the folder of another run
 */
export async function readSummary(folder: string): Promise<RunSummary | undefined> {
  const file = join(folder, runFiles.summary);
  const summary = await readStateFile(file, summaryFormat);
  if (summary === undefined) return undefined;
  const own = await readStateFile(join(folder, runFiles.identity), identityNote);
  if (own !== undefined && own.runId !== summary.runId) {
    throw new LocalgradError(
      'invalid-data',
      `'${file}' is damaged: it belongs to run ${summary.runId}, but the folder contains run ${own.runId}.`,
      { file },
    );
  }
  return summary;
}

const identityNote = {
  what: 'the identity of a localgrad run',
  schema: z.looseObject({ runId: z.string() }),
  version: 1,
};

/** As `readSummary`; returns the problem of a damaged summary instead of throwing. */
export async function lookForSummary(
  folder: string,
): Promise<{ readonly summary?: RunSummary | undefined; readonly problem?: string }> {
  return orProblem(async () => ({ summary: await readSummary(folder) }));
}

/** Undefined if the run has none. Returns the problem of a damaged one. */
export async function lookForEnvironment(
  folder: string,
): Promise<{ readonly environment?: RunEnvironment | undefined; readonly problem?: string }> {
  return orProblem(async () => ({
    environment: await readStateFile(join(folder, runFiles.environment), environmentFormat),
  }));
}

/** Undefined for a run of a version that wrote none. Returns the problem of a damaged one. */
export async function lookForIdentity(
  folder: string,
): Promise<{ readonly identity?: RunIdentity | undefined; readonly problem?: string }> {
  return orProblem(async () => ({ identity: await readIdentity(join(folder, runFiles.identity)) }));
}

/** Undefined if the rule has not stopped the run. Returns the problem of a note that is of a newer version. */
export async function lookForEarlyStop(
  folder: string,
  rule: string,
): Promise<{ readonly stop?: EarlyStop | undefined; readonly problem?: string }> {
  return orProblem(async () => ({ stop: await readEarlyStop(folder, rule) }));
}

async function orProblem<Found>(look: () => Promise<Found>): Promise<Found | { readonly problem: string }> {
  try {
    return await look();
  } catch (error) {
    if (!LocalgradError.isInstance(error)) throw error;
    return { problem: error.message };
  }
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
