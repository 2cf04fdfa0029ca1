import { randomUUID } from 'node:crypto';
import { join, resolve } from 'node:path';
import { z } from 'zod';
import { claimFile, claimNumbers, claimsFolder } from './claim-files.js';
import { codeOf, fileSystem, isOtherThanFile } from './file-system.js';
import { removeFile, statIfThere } from './files.js';
import { isAlive, type ProcessIdentity } from './process-identity.js';
import { readStateFile } from './state-file.js';

/**
 * How an attempt ended. Attempts of killed processes have no end.
 *
 * - `lost`: its process was killed before it could claim the run; recorded by another process
 * - `reset`: not an attempt; earlier attempts no longer count
 */
export type AttemptOutcome = (typeof outcomes)[number];

const outcomes = ['finished', 'failed', 'stopped', 'lost', 'reset'] as const;

/** One attempt at a run: the content of a claim. */
export interface Attempt {
  readonly number: number;
  readonly owner: ProcessIdentity;
  readonly startedAt: string;
  /** Step of the last checkpoint of this attempt. */
  readonly checkpointStep?: number;
  readonly outcome?: AttemptOutcome;
  /** Message of its failure. */
  readonly message?: string;
  /** Its process is alive, or has sent a recent heartbeat. */
  readonly isActive: boolean;
}

export interface ClaimContent extends Omit<Attempt, 'number' | 'isActive'> {
  /** Distinguishes claims of one process. */
  readonly key?: string;
  /** Seconds for which the claim stays valid without a heartbeat, if its long steps need more than the default. */
  readonly lifetimeSeconds?: number;
}

export interface ClaimOptions {
  /** Seconds between two heartbeats. Default 5. */
  readonly heartbeatSeconds?: number;
  /** Seconds without a heartbeat after which a claim of another host is taken over. Default 60. */
  readonly staleSeconds?: number;
}

export const defaultStaleSeconds = 60;

const claimFormat = {
  what: 'a claim',
  schema: z.looseObject({
    owner: z.looseObject({ host: z.string(), pid: z.int(), startTicks: z.string().nullable() }),
    startedAt: z.string().default(''),
    lifetimeSeconds: z.number().min(0).max(900).optional(),
    checkpointStep: z.int().min(0).optional(),
    outcome: z.enum(outcomes).optional(),
    message: z.string().optional(),
  }),
};

/** Stands for a claim that cannot be read, e.g. after a power failure: nothing is known of its process. */
const unknownOwner: ProcessIdentity = { host: '', pid: 0, startTicks: null };

/** Claims that this process has released, even if the file could not be updated because the disk is full. */
const released = new Set<string>();

export function noteReleased(file: string, isReleased: boolean): void {
  if (isReleased) released.add(resolve(file));
  else released.delete(resolve(file));
}

/** All attempts at a run, oldest first. */
export async function listAttempts(
  runFolder: string,
  { staleSeconds = defaultStaleSeconds }: ClaimOptions = {},
): Promise<Attempt[]> {
  const folder = claimsFolder(runFolder);
  const numbers = await claimNumbers(folder);
  const attempts: Attempt[] = [];
  for (const number of numbers) {
    const file = join(folder, claimFile(number));
    const content = await readClaim(file);
    const isOpen = number === numbers.at(-1) && content.outcome === undefined && !released.has(resolve(file));
    attempts.push({ ...content, number, isActive: isOpen && (await isFresh(folder, file, content, staleSeconds)) });
  }
  return attempts;
}

async function readClaim(file: string): Promise<ClaimContent> {
  try {
    const found = await readStateFile(file, claimFormat);
    if (found === undefined) return { owner: unknownOwner, startedAt: '', outcome: 'stopped' };
    const { checkpointStep, outcome, message, lifetimeSeconds, key: _, ...content } = found;
    return {
      ...content,
      ...(lifetimeSeconds === undefined ? {} : { lifetimeSeconds }),
      ...(checkpointStep === undefined ? {} : { checkpointStep }),
      ...(outcome === undefined ? {} : { outcome }),
      ...(message === undefined ? {} : { message }),
    };
  } catch (error) {
    if (codeOf(error) !== undefined) throw error;
    return { owner: unknownOwner, startedAt: '' };
  }
}

async function isFresh(
  folder: string,
  file: string,
  { owner, lifetimeSeconds = 0 }: ClaimContent,
  staleSeconds: number,
): Promise<boolean> {
  const alive = isAlive(owner);
  if (alive !== undefined) return alive;
  const sign = await modifiedAt(file);
  // Both times are of the same clock, the file server's, whatever this machine's says.
  const now = await serverTime(folder);
  // A time in the future does not count either: the next heartbeat of a live owner would have corrected it.
  return sign !== undefined && Math.abs(now - sign) < 1000 * Math.max(staleSeconds, lifetimeSeconds);
}

/** Milliseconds. Falls back to this machine's clock if the folder is read-only. */
async function serverTime(folder: string): Promise<number> {
  const clock = join(folder, `clock.${randomUUID()}`);
  try {
    const handle = await fileSystem.open(clock, 'wx');
    await fileSystem.write(handle, Buffer.from('.'), 0).finally(() => fileSystem.close(handle));
    // Try again if another process removed it as a leftover.
    return (await modifiedAt(clock)) ?? (await serverTime(folder));
  } catch {
    return Date.now();
  } finally {
    await removeFile(clock).catch(() => {});
  }
}

async function modifiedAt(file: string): Promise<number | undefined> {
  try {
    return (await statIfThere(file))?.mtimeMs;
  } catch (error) {
    if (isOtherThanFile(error)) return undefined;
    throw error;
  }
}
