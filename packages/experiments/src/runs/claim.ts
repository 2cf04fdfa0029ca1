import { randomUUID } from 'node:crypto';
import { link, readdir, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { LocalgradError } from '@localgrad/core';
import { createFolder, readJsonIfThere, writeWhole } from './files.js';
import { isAlive, type ProcessIdentity, thisProcess } from './process-identity.js';

/** How an attempt ended. Attempts of killed processes have no end. */
export type AttemptOutcome = 'finished' | 'failed' | 'stopped';

/** One attempt at a run: the content of a claim. */
export interface Attempt {
  readonly number: number;
  readonly owner: ProcessIdentity;
  readonly startedAt: string;
  /** Step of the last checkpoint that this attempt made. */
  readonly checkpointStep?: number;
  readonly outcome?: AttemptOutcome;
  /** Why it failed. */
  readonly message?: string;
  /** Its process lives, or gave a sign of life not long ago. */
  readonly isActive: boolean;
}

type ClaimContent = Omit<Attempt, 'number' | 'isActive'>;

export interface ClaimOptions {
  /** Seconds between two signs of life. Default 5. */
  readonly heartbeatSeconds?: number;
  /** A claim of another host without a sign of life for so long is taken over. Default 60. */
  readonly staleSeconds?: number;
}

/**
 * The right to work on a run. Claims are numbered files in the run's folder; whoever creates the next number, which the
 * file system lets only one do, has it, until a higher number is there. Works in folders that several machines share.
 */
export class Claim {
  readonly #folder: string;
  readonly #number: number;
  #content: ClaimContent;
  readonly #timer: NodeJS.Timeout;
  #writing: Promise<void> = Promise.resolve();

  private constructor(folder: string, number: number, content: ClaimContent, heartbeatSeconds: number) {
    this.#folder = folder;
    this.#number = number;
    this.#content = content;
    const file = join(folder, fileOf(number));
    this.#timer = setInterval(() => {
      const now = new Date();
      // A missed sign of life is made up for by the next one.
      utimes(file, now, now).catch(() => {});
    }, 1000 * heartbeatSeconds);
    this.#timer.unref();
  }

  /** Takes a run, unless somebody else works on it: then undefined. */
  static async acquire(runFolder: string, options: ClaimOptions = {}): Promise<Claim | undefined> {
    const folder = claimsFolder(runFolder);
    await createFolder(folder);
    const last = (await listAttempts(runFolder, options)).at(-1);
    if (last?.isActive === true) return undefined;
    const number = (last?.number ?? 0) + 1;
    const content: ClaimContent = { owner: thisProcess(), startedAt: new Date().toISOString() };
    const draft = join(folder, `draft.${process.pid}.${randomUUID()}`);
    await writeFile(draft, `${JSON.stringify(content)}\n`);
    try {
      // Unlike a rename, a link never replaces what is there; unlike an exclusive open, it brings the content along.
      await link(draft, join(folder, fileOf(number)));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EEXIST') return undefined;
      throw error;
    } finally {
      await rm(draft, { force: true });
    }
    return new Claim(folder, number, content, options.heartbeatSeconds ?? 5);
  }

  get attempt(): number {
    return this.#number;
  }

  /** @throws LocalgradError `misuse` if another process has taken the run over, since this one gave no sign of life */
  async assertHeld(): Promise<void> {
    const highest = (await numbersIn(this.#folder)).at(-1) ?? 0;
    if (highest <= this.#number) return;
    throw new LocalgradError(
      'misuse',
      `Attempt ${this.#number} of this run gave no sign of life and was taken over by attempt ${highest}; it ends here.`,
      { folder: this.#folder },
    );
  }

  /** Notes that a checkpoint was made: a process that is killed after it was no failure. */
  async noteCheckpoint(step: number): Promise<void> {
    await this.#write({ ...this.#content, checkpointStep: step });
  }

  /** Gives the run back. */
  async release(outcome: AttemptOutcome, message?: string): Promise<void> {
    clearInterval(this.#timer);
    await this.#write({ ...this.#content, outcome, ...(message === undefined ? {} : { message }) });
  }

  #write(content: ClaimContent): Promise<void> {
    this.#content = content;
    this.#writing = this.#writing.then(() =>
      writeWhole(join(this.#folder, fileOf(this.#number)), `${JSON.stringify(content)}\n`),
    );
    return this.#writing;
  }
}

/**
 * Notes a failure that came before the run could be begun, e.g. since its images are not there. It counts like one of the
 * run itself, so that nobody tries forever. Does nothing where another process is at work on the run.
 */
export async function noteFailure(runFolder: string, message: string): Promise<void> {
  const claim = await Claim.acquire(runFolder);
  await claim?.release('failed', message);
}

/** All attempts at a run, oldest first. */
export async function listAttempts(runFolder: string, { staleSeconds = 60 }: ClaimOptions = {}): Promise<Attempt[]> {
  const folder = claimsFolder(runFolder);
  const numbers = await numbersIn(folder);
  const attempts: Attempt[] = [];
  for (const number of numbers) {
    const content = await readClaim(join(folder, fileOf(number)));
    const isLast = number === numbers.at(-1);
    const isActive = isLast && content.outcome === undefined && (await isFresh(folder, number, content, staleSeconds));
    attempts.push({ ...content, number, isActive });
  }
  return attempts;
}

async function isFresh(
  folder: string,
  number: number,
  { owner }: ClaimContent,
  staleSeconds: number,
): Promise<boolean> {
  const alive = isAlive(owner);
  if (alive !== undefined) return alive;
  // Both times are of the same clock, the file server's, whatever this machine's says.
  const clock = join(folder, `clock.${process.pid}`);
  await writeFile(clock, '');
  const [now, sign] = await Promise.all([stat(clock), stat(join(folder, fileOf(number)))]);
  await rm(clock, { force: true });
  return now.mtimeMs - sign.mtimeMs < 1000 * staleSeconds;
}

async function readClaim(file: string): Promise<ClaimContent> {
  const content = await readJsonIfThere<ClaimContent>(file);
  // Taken away by hand while it was read.
  return content ?? { owner: { host: '', pid: 0, startTicks: null }, startedAt: '', outcome: 'stopped' };
}

async function numbersIn(folder: string): Promise<number[]> {
  let files: string[];
  try {
    files = await readdir(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
  return files.flatMap((file) => (/^\d+\.json$/.test(file) ? [Number.parseInt(file, 10)] : [])).sort((a, b) => a - b);
}

const claimsFolder = (runFolder: string) => join(runFolder, 'claims');
const fileOf = (number: number) => `${String(number).padStart(6, '0')}.json`;
