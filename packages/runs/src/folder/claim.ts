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
import { claimFile, claimsFolder, highestClaim, highestClaimSync, removeLeftovers } from './claim-files.js';
import { overwrite, publishClaim } from './claim-writing.js';
import { fileSystem } from './file-system.js';
import { createFolder, removeFile, writeWhole } from './files.js';
import { Heartbeat } from './heartbeat.js';
import { thisProcess } from './process-identity.js';

/**
 * Exclusive right to work on a run. Claims are numbered files in the run folder; the file system lets exactly one process
 * create the next number, and that process owns the run until a higher number exists. Works in shared folders.
 */
export class Claim {
  readonly #folder: string;
  readonly #number: number;
  readonly #file: string;
  #content: ClaimContent;
  readonly #heartbeat: Heartbeat;
  readonly #timer: NodeJS.Timeout;
  readonly #staleSeconds: number;
  #writing: Promise<void> = Promise.resolve();
  #takenOverBy: number | undefined;

  private constructor(folder: string, number: number, content: ClaimContent, options: ClaimOptions) {
    this.#folder = folder;
    this.#number = number;
    this.#file = join(folder, claimFile(number));
    this.#content = content;
    this.#staleSeconds = options.staleSeconds ?? defaultStaleSeconds;
    const seconds = options.heartbeatSeconds ?? 5;
    this.#heartbeat = new Heartbeat({ file: this.#file, folder, number, seconds });
    this.#timer = setInterval(() => {
      this.#heartbeat.start();
      this.#heartbeat.tick();
      // Only without a heartbeat thread. The next heartbeat makes up for a missed one.
      if (Date.now() - this.#heartbeat.lastSign > 2000 * seconds) this.#giveSign().catch(() => {});
    }, 1000 * seconds);
    this.#timer.unref();
  }

  /**
   * Claims a run; returns undefined if another process is working on it.
   *
   * @throws LocalgradError `invalid-option` if the disk is full or not writable
   */
  static async acquire(runFolder: string, options: ClaimOptions = {}): Promise<Claim | undefined> {
    const folder = claimsFolder(runFolder);
    await createFolder(folder);
    const last = (await listAttempts(runFolder, options)).at(-1);
    if (last?.isActive === true) return undefined;
    const number = (last?.number ?? 0) + 1;
    const file = join(folder, claimFile(number));
    const content: ClaimContent = { owner: thisProcess(), startedAt: new Date().toISOString(), key: randomUUID() };
    if (!(await publishClaim(folder, file, textOf(content)))) return undefined;
    noteReleased(file, false);
    const claim = new Claim(folder, number, content, options);
    // Only to save space.
    await removeLeftovers(runFolder, file, options.staleSeconds ?? defaultStaleSeconds).catch(() => {});
    return claim;
  }

  get attempt(): number {
    return this.#number;
  }

  /** Whether another process is known to have taken over. */
  get isTakenOver(): boolean {
    this.#look(this.#heartbeat.highest);
    return this.#takenOverBy !== undefined;
  }

  /** @throws LocalgradError `misuse` if another process has taken the run over, since this one sent no heartbeat */
  async assertHeld(): Promise<void> {
    this.#look(await highestClaim(this.#folder));
    this.#refuse();
  }

  /** Synchronous `assertHeld`. */
  assertHeldNow(): void {
    this.#look(highestClaimSync(this.#folder));
    this.#refuse();
  }

  /**
   * Synchronous `assertHeld` that reads the folder only if the last heartbeat is so old that others may soon take over.
   */
  assertHeldSync(): void {
    this.#heartbeat.noteProgress();
    const sinceSign = Math.abs(Date.now() - this.#heartbeat.lastSign);
    this.#look(sinceSign > 500 * this.#staleSeconds ? highestClaimSync(this.#folder) : this.#heartbeat.highest);
    this.#refuse();
    this.#prolong();
  }

  /** Records a checkpoint: a process that is killed after it does not count as a failure. */
  async noteCheckpoint(step: number): Promise<void> {
    await this.#write({ ...this.#content, checkpointStep: step });
  }

  /** Releases the run, even if nothing can be written anymore, so that others do not wait for it. */
  async release(outcome: AttemptOutcome, message?: string): Promise<void> {
    this.#stop();
    const content = { ...this.#content, outcome, ...(message === undefined ? {} : { message }) };
    try {
      await this.#write(content);
    } catch {
      // A full disk rejects new files, but usually accepts a few more bytes in an existing one. Without the file the attempt is
      // forgotten, which is better than a run that seems to be at work for as long as this process lives.
      await overwrite(this.#file, textOf(content)).catch(() => removeFile(this.#file).catch(() => {}));
    }
    noteReleased(this.#file, true);
  }

  /**
   * If the heartbeat thread fails, heartbeats are sent between steps, and others wait accordingly. No longer than
   * a quarter of an hour: a machine that slept measures long steps, too.
   */
  #prolong(): void {
    const lifetimeSeconds = Math.min(900, Math.ceil(4 * this.#heartbeat.longestStep));
    if (lifetimeSeconds < 2 * (this.#content.lifetimeSeconds ?? this.#staleSeconds / 2)) return;
    this.#write({ ...this.#content, lifetimeSeconds }).catch(() => {});
  }

  #stop(): void {
    clearInterval(this.#timer);
    this.#heartbeat.stop();
  }

  /** Rewrites the same content, so that the file server sets the time from its own clock; `utimes` would use ours. */
  async #giveSign(): Promise<void> {
    const handle = await fileSystem.open(this.#file, 'r+');
    await fileSystem.write(handle, Buffer.from('{'), 0).finally(() => fileSystem.close(handle));
    // After a long sleep this may run first: a heartbeat does not prove that the run is still ours.
    this.#look(await highestClaim(this.#folder));
    this.#heartbeat.noteSign();
  }

  #look(highest: number): void {
    if (highest <= this.#number) return;
    this.#takenOverBy = highest;
    this.#stop();
  }

  #refuse(): void {
    if (this.#takenOverBy === undefined) return;
    throw new LocalgradError(
      'misuse',
      `Attempt ${this.#number} of this run sent no heartbeat and was taken over by attempt ${this.#takenOverBy}; it ends here.`,
      { folder: this.#folder },
    );
  }

  #write(content: ClaimContent): Promise<void> {
    this.#content = content;
    // A failure must not prevent the next attempt.
    this.#writing = this.#writing.catch(() => {}).then(() => writeWhole(this.#file, textOf(content)));
    return this.#writing;
  }
}

const textOf = (content: ClaimContent) => `${JSON.stringify(content)}\n`;
