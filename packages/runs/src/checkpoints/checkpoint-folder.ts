import { join } from 'node:path';
import { LocalgradError } from '@localgrad/core';
import { readSafetensors, writeSafetensors } from '@localgrad/nn/serialization';
import {
  accuracyMetric,
  advantage,
  choiceValue,
  type Metric,
  type TrainingCheckpoint,
  type TrainingProgress,
} from '@localgrad/train';
import { codeOf, fileSystem } from '../folder/file-system.js';
import { namesIn, readBytesIfThere, removeFile, statIfThere, textOf, writeWhole } from '../folder/files.js';
import { checksumOf } from '../folder/hash.js';
import { isNewerVersion } from '../folder/newer-version.js';
import { explainWriteError } from '../folder/write-errors.js';
import { type CheckpointName, checkpointFile, checkpointName, oldestFirst } from './checkpoint-name.js';
import { type CheckpointDescription, checkpointFormatVersion, describe, readDescription } from './description.js';

export interface CheckpointFolderOptions {
  /** Hash of the run's resolved config: checkpoints of other runs are rejected. */
  readonly runId: string;
  /** How many of the newest usable checkpoints are kept. Default 2: if the last one is damaged, the previous one is used. */
  readonly keepLast?: number;
  /** Also keep the one that is best by the metric of its run, on validation images, or on test images if there are no others. Default false. */
  readonly keepBest?: boolean;
  /** Number of the attempt that writes here. Part of the file names; checkpoints of later attempts are never touched. Default 0. */
  readonly attempt?: number;
  /** Throws if another attempt has taken the run over. Called before every change that others can see. */
  readonly assertHeld?: () => Promise<void>;
  /** Called with the problem of each unusable checkpoint, including the file name. */
  readonly onProblem?: (message: string) => void;
}

/** A checkpoint with the notes that were saved with it. */
export interface StoredCheckpoint<Notes> extends TrainingCheckpoint {
  readonly name: string;
  readonly notes: Notes;
}

/**
 * Checkpoints of one run: `step-00000120-000003.safetensors` with the tensors, and `step-00000120-000003.json` with the
 * rest and checksums of both; 3 is the attempt. The description is written last and atomically: a checkpoint exists
 * completely or not at all, whenever the process is killed.
 */
export class CheckpointFolder<Notes = null> {
  readonly #folder: string;
  readonly #options: CheckpointFolderOptions;
  readonly #attempt: number;
  /** Cached by name, so that a save does not read all checkpoints again. */
  readonly #standings = new Map<string, Standing>();

  constructor(folder: string, options: CheckpointFolderOptions) {
    this.#folder = folder;
    this.#options = options;
    this.#attempt = options.attempt ?? 0;
  }

  /**
   * Removes older checkpoints beyond the retention limit, and checkpoints of later steps if training went back.
   *
   * @param notes plain data that is returned with the checkpoint
   */
  async save({ progress, tensors }: TrainingCheckpoint, notes: Notes): Promise<void> {
    const saved = checkpointName(progress.step, this.#attempt);
    const bytes = writeSafetensors({ tensors, metadata: { format: 'localgrad-checkpoint' } });
    const { runId, assertHeld } = this.#options;
    const description = describe({
      formatVersion: checkpointFormatVersion,
      runId,
      tensors: checksumOf(bytes),
      progress,
      notes,
    });
    const options = { beforeVisible: assertHeld };
    await writeWhole(this.#file(saved, 'safetensors'), bytes, options);
    await writeWhole(this.#file(saved, 'json'), description, options);
    this.#standings.set(saved.name, standingWith(progress));
    await assertHeld?.();
    await this.#clean(saved);
  }

  /**
   * The newest complete checkpoint; undefined if there is none. Damaged ones are reported and skipped.
   *
   * @param objectionTo returns why a complete checkpoint should not be used, by its notes; it is then used only if there is no other
   */
  async latest(
    objectionTo: (notes: Notes) => string | undefined = () => undefined,
  ): Promise<StoredCheckpoint<Notes> | undefined> {
    const problems: { name: string; message: string }[] = [];
    const doubtful: CheckpointName[] = [];
    let latest: StoredCheckpoint<Notes> | undefined;
    for (const candidate of (await this.#candidates()).reverse()) {
      try {
        const stored = await this.#load(candidate);
        const objection = objectionTo(stored.notes);
        if (objection === undefined) {
          latest = stored;
          break;
        }
        doubtful.push(candidate);
        throw misfit(this.#file(candidate, 'json'), objection);
      } catch (error) {
        if (!isLost(error)) throw error;
        this.#standings.set(candidate.name, rejected);
        problems.push({ name: candidate.name, message: error.message });
      }
    }
    const [fallback] = doubtful;
    if (latest === undefined && fallback !== undefined) latest = await this.#load(fallback);
    for (const { name, message } of problems)
      this.#options.onProblem?.(`${message} ${consequence(name, latest?.name)}`);
    return latest;
  }

  /**
   * The complete checkpoint at the end of the best epoch by the metric of its run, on validation images if there are any, the
   * first of equal ones; undefined if there is none. Damaged ones are reported and skipped.
   */
  async best(): Promise<StoredCheckpoint<Notes> | undefined> {
    for (const candidate of await this.#bestFirst(await this.#candidates())) {
      try {
        return await this.#load(candidate);
      } catch (error) {
        if (!isLost(error)) throw error;
        this.#options.onProblem?.(error.message);
      }
    }
    return undefined;
  }

  /** Removes all checkpoints up to this attempt, when a run starts over or has finished. */
  async clear(): Promise<void> {
    await this.#options.assertHeld?.();
    this.#standings.clear();
    await removeCheckpoints(this.#folder, this.#attempt);
  }

  async #load(candidate: CheckpointName): Promise<StoredCheckpoint<Notes>> {
    const file = this.#file(candidate, 'safetensors');
    const { tensors: expected, progress, notes } = await this.#describe(candidate);
    const bytes = await readBytesIfThere(file);
    if (bytes === undefined) throw broken(file, 'it is missing');
    const actual = checksumOf(bytes);
    if (actual.bytes !== expected.bytes || actual.sha256 !== expected.sha256) {
      throw broken(file, `it has ${actual.bytes} of ${expected.bytes} bytes, and its checksum does not match`);
    }
    const { tensors } = readSafetensors(bytes, file);
    this.#standings.set(candidate.name, standingWith(progress));
    return { name: candidate.name, progress, notes, tensors };
  }

  async #describe(candidate: CheckpointName): Promise<CheckpointDescription<Notes>> {
    const file = this.#file(candidate, 'json');
    const bytes = await readBytesIfThere(file);
    if (bytes === undefined) throw broken(file, 'it is missing');
    const description = readDescription<Notes>(textOf(bytes, file), file);
    if ('problem' in description) throw broken(file, description.problem);
    const { runId } = this.#options;
    if (description.runId !== runId) throw broken(file, `it belongs to run ${description.runId}, not to ${runId}`);
    return description;
  }

  #file({ name }: CheckpointName, extension: 'json' | 'safetensors'): string {
    return join(this.#folder, `${name}.${extension}`);
  }

  /** Oldest first, without those of later attempts. */
  async #candidates(): Promise<CheckpointName[]> {
    const files = (await namesIn(this.#folder)).map(checkpointFile);
    return files
      .flatMap((file) => (file?.kind === 'description' ? [file.of] : []))
      .filter(({ attempt }) => attempt <= this.#attempt)
      .sort(oldestFirst);
  }

  /** Applies the retention options to the checkpoints up to the one just saved. */
  async #clean(saved: CheckpointName): Promise<void> {
    const { keepLast = 2, keepBest = false } = this.#options;
    const kept = new Set<string>();
    // If training went back to an earlier step, the later checkpoints were unusable or will be replaced.
    const candidates = (await this.#candidates()).filter(({ step }) => step <= saved.step);
    for (const candidate of candidates.toReversed()) {
      if (kept.size >= Math.max(1, keepLast)) break;
      if ((await this.#standingOf(candidate)).isUsable) kept.add(candidate.name);
    }
    const [best] = keepBest ? await this.#bestFirst(candidates) : [];
    if (best !== undefined) kept.add(best.name);
    await removeCheckpoints(this.#folder, this.#attempt, kept);
  }

  /** Usable checkpoints of evaluated networks, from the best to the worst; of equal ones the first comes first. */
  async #bestFirst(candidates: readonly CheckpointName[]): Promise<CheckpointName[]> {
    const judged: (Judgment & { readonly candidate: CheckpointName })[] = [];
    for (const candidate of candidates) {
      const { judgment } = await this.#standingOf(candidate);
      if (judgment !== undefined) judged.push({ candidate, ...judgment });
    }
    return judged.sort((a, b) => advantage(a.metric, b.value, a.value)).map(({ candidate }) => candidate);
  }

  /** An unusable checkpoint must not displace a usable one. Checks only the size of the tensor file, not its checksum. */
  async #standingOf(candidate: CheckpointName): Promise<Standing> {
    const known = this.#standings.get(candidate.name);
    if (known !== undefined) return known;
    let standing = rejected;
    try {
      const { progress, tensors } = await this.#describe(candidate);
      const found = await statIfThere(this.#file(candidate, 'safetensors'));
      if (found?.size === tensors.bytes) standing = standingWith(progress);
    } catch (error) {
      if (!isLost(error)) throw error;
    }
    this.#standings.set(candidate.name, standing);
    return standing;
  }
}

/**
 * Removes the checkpoints of attempts up to `attempt`, also incomplete ones of a killed process, and the folder if it is then
 * empty. Does not touch other files.
 */
export async function removeCheckpoints(
  folder: string,
  attempt: number,
  kept: ReadonlySet<string> = new Set(),
): Promise<void> {
  const files = (await namesIn(folder)).flatMap((file) => {
    const parsed = checkpointFile(file);
    if (parsed === undefined || parsed.of.attempt > attempt) return [];
    return parsed.kind !== 'partial' && kept.has(parsed.of.name) ? [] : [{ file, ...parsed }];
  });
  // Descriptions first: tensors without a description do not count as a checkpoint.
  files.sort((a, b) => Number(b.kind === 'description') - Number(a.kind === 'description'));
  for (const { file } of files) await removeFileOnly(join(folder, file));
  if (kept.size > 0) return;
  try {
    await fileSystem.rmdir(folder);
  } catch (error) {
    if (!['ENOENT', 'ENOTEMPTY', 'EEXIST'].includes(codeOf(error) ?? '')) throw explainWriteError(folder, error);
  }
}

/**
 * Whether an error means that a checkpoint can never be used. One that cannot be read now, or only by a newer version of
 * localgrad, may be usable later: starting over would lose it.
 */
function isLost(error: unknown): error is LocalgradError {
  return LocalgradError.isInstance(error) && codeOf(error) === undefined && !isNewerVersion(error);
}

/** A folder with the name of a checkpoint is not localgrad's. */
async function removeFileOnly(file: string): Promise<void> {
  try {
    await removeFile(file);
  } catch (error) {
    if (codeOf(error) !== 'EISDIR') throw error;
  }
}

/** Whether training can resume from a checkpoint, and by what the best one is chosen, if it was evaluated. */
interface Standing {
  readonly isUsable: boolean;
  readonly judgment?: Judgment;
}

/** All checkpoints of a run have the same metric. */
interface Judgment {
  readonly metric: Metric;
  readonly value: number;
}

const rejected: Standing = { isUsable: false };

function standingWith({ batchesDone, records }: TrainingProgress): Standing {
  // Within an epoch the network differs from the one that was evaluated.
  const last = batchesDone === 0 ? records.at(-1) : undefined;
  const value = last === undefined ? undefined : choiceValue(last);
  if (value === undefined) return { isUsable: true };
  return { isUsable: true, judgment: { metric: last?.metric ?? accuracyMetric, value } };
}

function consequence(name: string, used: string | undefined): string {
  if (used === undefined) return 'No other checkpoint is available.';
  return name === used ? 'It is used nevertheless, since there is no better one.' : `'${used}' is used instead.`;
}

function broken(file: string, what: string): LocalgradError {
  return new LocalgradError('invalid-data', `Checkpoint '${file}' cannot be used: ${what}.`, { file });
}

function misfit(file: string, objection: string): LocalgradError {
  return new LocalgradError('invalid-data', `Checkpoint '${file}' is whole but does not fit: ${objection}.`, { file });
}
