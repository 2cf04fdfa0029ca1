import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { LocalgradError } from '@localgrad/core';
import {
  type AttemptOutcome,
  type ClaimContent,
  type ClaimOptions,
  defaultStaleSeconds,
  listAttempts,
  noteReleased,
} from './attempts.js';
import { claimFile, claimNumbers, claimsFolder, highestClaimSync, removeLeftovers } from './claim-files.js';
import { codeOf, fileSystem } from './file-system.js';
import { createFolder, removeFile, syncFile, writeSynced, writeWhole } from './files.js';
import { thisProcess } from './process-identity.js';
import { explainWriteError } from './write-errors.js';

/**
 * The right to work on a run. Claims are numbered files in the run's folder; whoever creates the next number, which the
 * file system lets only one do, has it, until a higher number is there. Works in folders that several machines share.
 */
export class Claim {
  readonly #folder: string;
  readonly #number: number;
  readonly #file: string;
  #content: ClaimContent;
  readonly #timer: NodeJS.Timeout;
  readonly #staleSeconds: number;
  #writing: Promise<void> = Promise.resolve();
  /** By the wall clock: others do not stop theirs while this machine sleeps. */
  #lastSign = Date.now();
  #takenOverBy: number | undefined;

  private constructor(folder: string, number: number, content: ClaimContent, options: ClaimOptions) {
    this.#folder = folder;
    this.#number = number;
    this.#file = join(folder, claimFile(number));
    this.#content = content;
    this.#staleSeconds = options.staleSeconds ?? defaultStaleSeconds;
    this.#timer = setInterval(
      () => {
        // A missed sign of life is made up for by the next one.
        this.#giveSign().catch(() => {});
      },
      1000 * (options.heartbeatSeconds ?? 5),
    );
    this.#timer.unref();
  }

  /**
   * Takes a run, unless somebody else works on it: then undefined.
   *
   * @throws LocalgradError `invalid-option` where the disk is full or may not be written to
   */
  static async acquire(runFolder: string, options: ClaimOptions = {}): Promise<Claim | undefined> {
    const folder = claimsFolder(runFolder);
    await createFolder(folder);
    const last = (await listAttempts(runFolder, options)).at(-1);
    if (last?.isActive === true) return undefined;
    const number = (last?.number ?? 0) + 1;
    const file = join(folder, claimFile(number));
    const content: ClaimContent = { owner: thisProcess(), startedAt: new Date().toISOString() };
    const draft = join(folder, `draft.${randomUUID()}`);
    try {
      await writeSynced(draft, textOf(content));
      // Unlike a rename, a link never replaces what is there; unlike an exclusive open, it brings the content along.
      await fileSystem.link(draft, file);
    } catch (error) {
      // Somebody was faster; or this process slept so long that its draft was taken for a leftover.
      if (['EEXIST', 'ENOENT'].includes(codeOf(error) ?? '')) return undefined;
      throw explainWriteError(file, error);
    } finally {
      await removeFile(draft).catch(() => {});
    }
    noteReleased(file, false);
    const claim = new Claim(folder, number, content, options);
    // Only to save room.
    await removeLeftovers(runFolder, file, options.staleSeconds ?? defaultStaleSeconds).catch(() => {});
    return claim;
  }

  get attempt(): number {
    return this.#number;
  }

  /** Known to be in other hands. */
  get isTakenOver(): boolean {
    return this.#takenOverBy !== undefined;
  }

  /** @throws LocalgradError `misuse` if another process has taken the run over, since this one gave no sign of life */
  async assertHeld(): Promise<void> {
    this.#look((await claimNumbers(this.#folder)).at(-1) ?? 0);
    this.#refuse();
  }

  /** As `assertHeld`, without waiting. */
  assertHeldNow(): void {
    this.#look(highestClaimSync(this.#folder));
    this.#refuse();
  }

  /**
   * As `assertHeld`, for those who cannot wait: looks only where the last sign of life is so old that others may think of
   * taking over.
   */
  assertHeldSync(): void {
    if (Math.abs(Date.now() - this.#lastSign) > 500 * this.#staleSeconds) this.#look(highestClaimSync(this.#folder));
    this.#refuse();
  }

  /** Notes that a checkpoint was made: a process that is killed after it was no failure. */
  async noteCheckpoint(step: number): Promise<void> {
    await this.#write({ ...this.#content, checkpointStep: step });
  }

  /** Gives the run back; also where nothing can be written any more, since whoever holds a run is waited for. */
  async release(outcome: AttemptOutcome, message?: string): Promise<void> {
    clearInterval(this.#timer);
    const content = { ...this.#content, outcome, ...(message === undefined ? {} : { message }) };
    try {
      await this.#write(content);
    } catch {
      // A full disk takes no new file, but mostly a few bytes more in one that is there. Without the file the attempt is
      // forgotten, which is better than a run that seems to be at work for as long as this process lives.
      await overwrite(this.#file, textOf(content)).catch(() => removeFile(this.#file).catch(() => {}));
    }
    noteReleased(this.#file, true);
  }

  /** Writes what is there already, so that the file server stamps it with its own clock; `utimes` would bring ours. */
  async #giveSign(): Promise<void> {
    const handle = await fileSystem.open(this.#file, 'r+');
    await fileSystem.write(handle, Buffer.from('{'), 0).finally(() => fileSystem.close(handle));
    // First after a long sleep may be this timer: that it gives signs again does not mean that it has the run still.
    this.#look((await claimNumbers(this.#folder)).at(-1) ?? 0);
    this.#lastSign = Date.now();
  }

  #look(highest: number): void {
    if (highest <= this.#number) return;
    this.#takenOverBy = highest;
    clearInterval(this.#timer);
  }

  #refuse(): void {
    if (this.#takenOverBy === undefined) return;
    throw new LocalgradError(
      'misuse',
      `Attempt ${this.#number} of this run gave no sign of life and was taken over by attempt ${this.#takenOverBy}; it ends here.`,
      { folder: this.#folder },
    );
  }

  #write(content: ClaimContent): Promise<void> {
    this.#content = content;
    // One that failed must not keep the next from trying.
    this.#writing = this.#writing.catch(() => {}).then(() => writeWhole(this.#file, textOf(content)));
    return this.#writing;
  }
}

async function overwrite(file: string, text: string): Promise<void> {
  const bytes = Buffer.from(text);
  const handle = await fileSystem.open(file, 'r+');
  try {
    for (let done = 0; done < bytes.length; ) done += await fileSystem.write(handle, bytes.subarray(done), done);
    await fileSystem.truncate(handle, bytes.length);
    await syncFile(handle);
  } finally {
    await fileSystem.close(handle);
  }
}

const textOf = (content: ClaimContent) => `${JSON.stringify(content)}\n`;
