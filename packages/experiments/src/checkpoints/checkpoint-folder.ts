import { createHash } from 'node:crypto';
import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { LocalgradError } from '@localgrad/core';
import { readSafetensors, writeSafetensors } from '@localgrad/nn';
import type { TrainingCheckpoint, TrainingProgress } from '@localgrad/train';
import { createFolder, writeWhole } from '../runs/files.js';
import { canonicalJson } from '../runs/hash.js';

export const checkpointFormatVersion = 1;

export interface CheckpointFolderOptions {
  /** Hash of the run's resolved config: checkpoints of other runs are refused. */
  readonly runId: string;
  /** How many of the newest are kept. Default 2: a checkpoint that turns out broken has one before it. */
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

  constructor(folder: string, options: CheckpointFolderOptions) {
    this.#folder = folder;
    this.#options = options;
  }

  /** @param notes plain data that the keeper wants back */
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
    await this.#clean();
  }

  /** The newest checkpoint that is whole; undefined where there is none. Broken ones are reported and passed over. */
  async latest(): Promise<StoredCheckpoint<Notes> | undefined> {
    for (const name of (await this.#names()).reverse()) {
      try {
        return await this.load(name);
      } catch (error) {
        if (!LocalgradError.isInstance(error)) throw error;
        this.#options.onProblem?.(`${error.message} It is passed over for the one before.`);
      }
    }
    return undefined;
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
    return { name, progress, notes, tensors: readSafetensors(bytes, file).tensors };
  }

  /** Removes all checkpoints: of a run that starts over. */
  async clear(): Promise<void> {
    await rm(this.#folder, { recursive: true, force: true });
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
    return files.flatMap((file) => /^(step-\d+)\.json$/.exec(file)?.[1] ?? []).sort();
  }

  async #clean(): Promise<void> {
    const { keepLast = 2, keepBest = false } = this.#options;
    const names = await this.#names();
    const kept = new Set(names.slice(-Math.max(1, keepLast)));
    const best = keepBest ? await this.#best(names) : undefined;
    if (best !== undefined) kept.add(best);
    for (const name of names) {
      if (kept.has(name)) continue;
      // The description first: without it the tensors are no checkpoint.
      await rm(join(this.#folder, `${name}.json`), { force: true });
      await rm(join(this.#folder, `${name}.safetensors`), { force: true });
    }
    // Tensors whose description was never written, and files that a killed process left half done.
    for (const file of await readdir(this.#folder)) {
      const name = /^(step-\d+)\./.exec(file)?.[1];
      if (file.endsWith('.partial') || (name !== undefined && !kept.has(name))) {
        await rm(join(this.#folder, file), { force: true });
      }
    }
  }

  async #best(names: readonly string[]): Promise<string | undefined> {
    let best: { name: string; accuracy: number } | undefined;
    for (const name of names) {
      const { progress } = await this.#describe(name).catch(() => ({ progress: undefined }));
      // Within an epoch the network is not the one that was tested.
      const tested = progress?.batchesDone === 0 ? progress.records.at(-1)?.testAccuracy : undefined;
      if (tested !== undefined && (best === undefined || tested > best.accuracy)) best = { name, accuracy: tested };
    }
    return best?.name;
  }
}

function nameOf(step: number): string {
  return `step-${String(step).padStart(8, '0')}`;
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

function sha256(content: string | Uint8Array): string {
  return createHash('sha256').update(content).digest('hex');
}
