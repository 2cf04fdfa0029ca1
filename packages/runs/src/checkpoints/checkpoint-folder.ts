import { readdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { LocalgradError } from '@localgrad/core';
import { readSafetensors, writeSafetensors } from '@localgrad/nn';
import type { TrainingCheckpoint, TrainingProgress } from '@localgrad/train';
import { codeOf, fileSystem } from '../folder/file-system.js';
import { createFolder, namesIn, removeFile, writeWhole } from '../folder/files.js';
import { canonicalJson, sha256 } from '../folder/hash.js';

export const checkpointFormatVersion = 1;

export interface CheckpointFolderOptions {
  /** Hash of the run's resolved config: checkpoints of other runs are refused. */
  readonly runId: string;
  /** How many of the newest that can be used are kept. Default 2: a checkpoint that turns out broken has one before it. */
  readonly keepLast?: number;
  /** Also keep the one with the best test accuracy. Default false. */
  readonly keepBest?: boolean;
  /** Told of checkpoints that cannot be used, with the file's name. */
  readonly onProblem?: (message: string) => void;
}

/** A checkpoint with what its keeper wrote beside it. */
export interface StoredCheckpoint<Notes> extends TrainingCheckpoint {
  readonly name: string;
  readonly notes: Notes;
}

interface Descriptor<Notes> {
  readonly formatVersion: number;
  readonly runId: string;
  readonly tensors: { readonly bytes: number; readonly sha256: string };
  readonly progress: TrainingProgress;
  readonly notes: Notes;
}

/**
 * Checkpoints of one run: `step-00000120.safetensors` with the tensors and `step-00000120.json` with the rest and
 * checksums of both. The second is written last, under a temporary name that is changed when it is whole: a checkpoint
 * is either there or not, whenever the process is killed.
 */
export class CheckpointFolder<Notes = null> {
  readonly #folder: string;
  readonly #options: CheckpointFolderOptions;
  /** By name, so that not every checkpoint has to be read again at each saving. */
  readonly #standings = new Map<string, Standing>();

  constructor(folder: string, options: CheckpointFolderOptions) {
    this.#folder = folder;
    this.#options = options;
  }

  /**
   * Removes older checkpoints that need not be kept, and those of later steps: training went back behind them.
   *
   * @param notes plain data that the keeper wants back
   */
  async save({ progress, tensors }: TrainingCheckpoint, notes: Notes): Promise<void> {
    await createFolder(this.#folder);
    const name = nameOf(progress.step);
    const bytes = writeSafetensors({ tensors, metadata: { format: 'localgrad-checkpoint' } });
    const descriptor: Descriptor<Notes> = {
      formatVersion: checkpointFormatVersion,
      runId: this.#options.runId,
      tensors: { bytes: bytes.length, sha256: sha256(bytes) },
      progress,
      notes,
    };
    await writeWhole(join(this.#folder, `${name}.safetensors`), bytes);
    const text = JSON.stringify({ sha256: sha256(canonicalJson(descriptor)), ...descriptor }, null, 1);
    await writeWhole(join(this.#folder, `${name}.json`), `${text}\n`);
    this.#standings.set(name, standingWith(progress));
    await this.#clean(name);
  }

  /**
   * The newest checkpoint that is whole; undefined where there is none. Broken ones are reported and passed over.
   *
   * @param objectionTo says what speaks against a whole one, by its notes; it is used only where there is no other
   */
  async latest(
    objectionTo: (notes: Notes) => string | undefined = () => undefined,
  ): Promise<StoredCheckpoint<Notes> | undefined> {
    const problems: { name: string; message: string }[] = [];
    const doubtful: string[] = [];
    let latest: StoredCheckpoint<Notes> | undefined;
    for (const name of (await this.#names()).reverse()) {
      try {
        const stored = await this.load(name);
        const objection = objectionTo(stored.notes);
        if (objection === undefined) {
          latest = stored;
          break;
        }
        doubtful.push(name);
        throw misfit(join(this.#folder, `${name}.json`), objection);
      } catch (error) {
        if (!LocalgradError.isInstance(error)) throw error;
        this.#standings.set(name, rejected);
        problems.push({ name, message: error.message });
      }
    }
    const [fallback] = doubtful;
    if (latest === undefined && fallback !== undefined) latest = await this.load(fallback);
    for (const { name, message } of problems)
      this.#options.onProblem?.(`${message} ${consequence(name, latest?.name)}`);
    return latest;
  }

  /** @throws LocalgradError `invalid-data` that names the file and what is wrong with it */
  async load(name: string): Promise<StoredCheckpoint<Notes>> {
    const file = join(this.#folder, `${name}.safetensors`);
    const { tensors: expected, progress, notes } = await this.#describe(name);
    const bytes = await readOr(file);
    if (bytes.length !== expected.bytes || sha256(bytes) !== expected.sha256) {
      throw broken(
        file,
        `it has ${bytes.length} bytes of ${expected.bytes}, and another checksum than when it was written`,
      );
    }
    const { tensors } = readSafetensors(bytes, file);
    this.#standings.set(name, standingWith(progress));
    return { name, progress, notes, tensors };
  }

  /** Removes all checkpoints: of a run that starts over. */
  async clear(): Promise<void> {
    this.#standings.clear();
    await removeCheckpoints(this.#folder);
  }

  async #describe(name: string): Promise<Descriptor<Notes>> {
    const file = join(this.#folder, `${name}.json`);
    let parsed: Descriptor<Notes> & { sha256: string };
    try {
      parsed = JSON.parse((await readOr(file)).toString('utf8'));
    } catch (error) {
      if (LocalgradError.isInstance(error)) throw error;
      throw broken(file, `it is not JSON (${(error as Error).message})`);
    }
    const { sha256: checksum, ...descriptor } = parsed;
    if (checksum !== sha256(canonicalJson(descriptor)))
      throw broken(file, 'its checksum is another one than its content has');
    if (descriptor.formatVersion !== checkpointFormatVersion) {
      throw broken(
        file,
        `it has format version ${descriptor.formatVersion}; this program reads ${checkpointFormatVersion}`,
      );
    }
    if (descriptor.runId !== this.#options.runId) {
      throw broken(file, `it belongs to run ${descriptor.runId}, not to ${this.#options.runId}`);
    }
    return descriptor;
  }

  /** Oldest first. */
  async #names(): Promise<string[]> {
    let files: string[];
    try {
      files = await readdir(this.#folder);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
      throw error;
    }
    return files.flatMap((file) => /^(step-\d+)\.json$/.exec(file)?.[1] ?? []).sort((a, b) => stepOf(a) - stepOf(b));
  }

  /** Keeps of the checkpoints up to the one just saved what the options say, and nothing else. */
  async #clean(saved: string): Promise<void> {
    const { keepLast = 2, keepBest = false } = this.#options;
    const names = await this.#names();
    const kept = new Set<string>();
    let best: { name: string; accuracy: number } | undefined;
    for (const name of [...names].reverse()) {
      // Training that went back behind a checkpoint could not use it, or will come to another one.
      if (stepOf(name) > stepOf(saved)) continue;
      if (kept.size >= Math.max(1, keepLast) && !keepBest) break;
      const { isUsable, testAccuracy } = await this.#standingOf(name);
      if (!isUsable) continue;
      if (kept.size < Math.max(1, keepLast)) kept.add(name);
      // Of equally good ones the first.
      if (testAccuracy !== undefined && testAccuracy >= (best?.accuracy ?? 0)) best = { name, accuracy: testAccuracy };
    }
    if (keepBest && best !== undefined) kept.add(best.name);
    for (const name of names) {
      if (kept.has(name)) continue;
      // The description first: without it the tensors are no checkpoint.
      await rm(join(this.#folder, `${name}.json`), { force: true });
      await rm(join(this.#folder, `${name}.safetensors`), { force: true });
    }
    // Tensors whose description was never written, and files that a killed process left half done.
    for (const file of await readdir(this.#folder)) {
      const name = /^(step-\d+)\./.exec(file)?.[1];
      if (!checkpointFile.test(file) || name === undefined) continue;
      if (file.endsWith('.partial') || !kept.has(name)) await removeFile(join(this.#folder, file));
    }
  }

  /** One that cannot be used must not take the place of one that can. Bytes of tensors are counted here, not checked. */
  async #standingOf(name: string): Promise<Standing> {
    const known = this.#standings.get(name);
    if (known !== undefined) return known;
    let standing = rejected;
    try {
      const { progress, tensors } = await this.#describe(name);
      const { size } = await stat(join(this.#folder, `${name}.safetensors`));
      if (size === tensors.bytes) standing = standingWith(progress);
    } catch (error) {
      if (!LocalgradError.isInstance(error) && (error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
    this.#standings.set(name, standing);
    return standing;
  }
}

/** Removes all checkpoints from a folder, and the folder if nothing else is in it. */
export async function removeCheckpoints(folder: string): Promise<void> {
  for (const file of await namesIn(folder)) if (checkpointFile.test(file)) await removeFile(join(folder, file));
  try {
    await fileSystem.rmdir(folder);
  } catch (error) {
    if (!['ENOENT', 'ENOTEMPTY', 'EEXIST'].includes(codeOf(error) ?? '')) throw error;
  }
}

/** Also what a killed process left half written; anything else in the folder is somebody else's. */
const checkpointFile = /^step-\d+\.(json|safetensors)(\.[0-9a-f-]+\.partial)?$/;

/** Whether a checkpoint can be gone on from, and how good its network is, where it was tested. */
interface Standing {
  readonly isUsable: boolean;
  readonly testAccuracy?: number | undefined;
}

const rejected: Standing = { isUsable: false };

function standingWith({ batchesDone, records }: TrainingProgress): Standing {
  // Within an epoch the network is not the one that was tested.
  return { isUsable: true, testAccuracy: batchesDone === 0 ? records.at(-1)?.testAccuracy : undefined };
}

function stepOf(name: string): number {
  return Number(name.slice('step-'.length));
}

function nameOf(step: number): string {
  return `step-${String(step).padStart(8, '0')}`;
}

function consequence(name: string, used: string | undefined): string {
  if (used === undefined) return 'There is none to go on from instead.';
  return name === used ? 'It is used all the same: there is no better one.' : `It is passed over for '${used}'.`;
}

async function readOr(file: string): Promise<Buffer> {
  try {
    return await readFile(file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') throw broken(file, 'it is missing');
    throw error;
  }
}

function broken(file: string, what: string): LocalgradError {
  return new LocalgradError('invalid-data', `Checkpoint '${file}' cannot be used: ${what}.`, { file });
}

function misfit(file: string, objection: string): LocalgradError {
  return new LocalgradError('invalid-data', `Checkpoint '${file}' is whole but does not fit: ${objection}.`, { file });
}
