import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type JsonObject, LocalgradError } from '@localgrad/core';
import { Claim, hashOf, OwnedFolder, type Recognition } from '@localgrad/runs';
import type { Experiment } from '../files/experiment.js';
import { pairsOf, readSweep, sweepFiles, sweepFormatVersion } from './sweep-files.js';

export { readSweep } from './sweep-files.js';

/** One run of a sweep: a line of `tasks.jsonl`. */
export interface SweepTask {
  /** Stays the same when the experiment file changes: jobs that wait in a queue name runs by it. */
  readonly index: number;
  readonly runId: string;
  /** Condition and seed, readable. */
  readonly name: string;
  /** Key of the condition. */
  readonly condition: string;
  readonly seed: number;
  /** Resolved. */
  readonly config: JsonObject;
}

/** A sweep as its folder describes it: `sweep.json`, and `experiment.yaml` as it was written. */
export interface Sweep extends Experiment {
  readonly folder: string;
  readonly formatVersion: number;
  /** Commands that created it, in order. */
  readonly commands: readonly string[];
  /** Index of the next run that is added. Indices of runs that are wanted no more are not given again. */
  readonly nextIndex: number;
  /** Seed by seed, so that whatever is finished compares all conditions. */
  readonly tasks: readonly SweepTask[];
}

export interface WriteSweepOptions {
  /** Hash of a config, which names the folder of a new run. */
  readonly runIdOf: (config: JsonObject) => string;
  /** Kept for the report. */
  readonly command?: string;
  /** Flag that names the folder, for messages. Default `--folder`. */
  readonly option?: string | undefined;
  /** Called if the sweep in the folder had runs that the experiment does not have, as that of another experiment does. */
  readonly onProblem?: ((message: string) => void) | undefined;
}

/** Folder of a run of a sweep. */
export function runFolderOf(sweep: Pick<Sweep, 'folder'>, { runId }: Pick<SweepTask, 'runId'>): string {
  return join(sweep.folder, 'runs', runId);
}

/** Name of the condition of a run. */
export function conditionNameOf({ conditions }: Pick<Sweep, 'conditions'>, task: SweepTask): string {
  return conditions.find(({ key }) => key === task.condition)?.name ?? task.name;
}

/**
 * Writes an experiment into a folder that processes can work on. A folder of the same experiment is brought up to date:
 * runs that are in it stay, since a run is named by what it depends on, and keep their indices. `sweep.json` is written in
 * one step and contains everything, so that a process that is killed here leaves the old sweep or the new one.
 *
 * @throws LocalgradError `invalid-option` if the folder contains another experiment, or files that are not localgrad's;
 * `misuse` if another process is writing the sweep
 */
export async function writeSweep(folder: string, experiment: Experiment, options: WriteSweepOptions): Promise<Sweep> {
  const owned = await inspect(folder, options);
  await owned.create(Object.values(sweepFiles));
  const claim = await claimFor(owned.path, folder);
  try {
    return await update(owned, folder, experiment, options, claim);
  } finally {
    await claim.release('finished');
  }
}

/**
 * The sweep that `writeSweep` would write, with the runs that the folder contains; writes nothing.
 *
 * @throws LocalgradError as `writeSweep` does
 */
export async function draftSweep(folder: string, experiment: Experiment, options: WriteSweepOptions): Promise<Sweep> {
  await inspect(folder, options);
  return (await draft(folder, experiment, options)).sweep;
}

function inspect(folder: string, { option = '--folder' }: WriteSweepOptions): Promise<OwnedFolder> {
  return OwnedFolder.inspect(folder, { kind: 'sweep', option, recognize });
}

/** Prevents two processes that write one sweep at the same time from assigning an index twice. */
async function claimFor(path: string, shown: string): Promise<Claim> {
  for (let look = 0; look < 50; look++) {
    const claim = await Claim.acquire(path);
    if (claim !== undefined) return claim;
    await delay(100);
  }
  throw new LocalgradError(
    'misuse',
    `Another process is writing the sweep in '${shown}'. Wait until it has finished, or choose another --folder.`,
    { folder: shown },
  );
}

interface Draft {
  readonly sweep: Sweep;
  /** Runs of the sweep in the folder that the experiment does not have. */
  readonly dropped: readonly SweepTask[];
}

async function draft(folder: string, experiment: Experiment, options: WriteSweepOptions): Promise<Draft> {
  const before = await sweepIn(folder);
  if (before !== undefined && before.name !== experiment.name) {
    throw new LocalgradError(
      'invalid-option',
      `'${folder}' contains the sweep '${before.name}', not '${experiment.name}'. Choose another --folder, or omit it.`,
      { folder },
    );
  }
  const { command } = options;
  const commands = [...(before?.commands ?? [])];
  if (command !== undefined && !commands.includes(command)) commands.push(command);
  const known = new KnownRuns(before, options.runIdOf);
  const tasks = pairsOf(experiment).map(
    (pair): SweepTask => ({ ...known.take(options.runIdOf(pair.config)), ...pair }),
  );
  const { nextIndex } = known;
  const sweep = { folder, formatVersion: sweepFormatVersion, ...experiment, commands, nextIndex, tasks };
  const kept = new Set(tasks.map(({ index }) => index));
  return { sweep, dropped: (before?.tasks ?? []).filter(({ index }) => !kept.has(index)) };
}

async function update(
  owned: OwnedFolder,
  folder: string,
  experiment: Experiment,
  options: WriteSweepOptions,
  claim: Claim,
): Promise<Sweep> {
  const { sweep, dropped } = await draft(folder, experiment, options);
  const { tasks } = sweep;
  const { folder: _, ...description } = sweep;
  const identities = tasks.map(({ index, runId }) => ({ index, runId }));
  const beforeVisible = () => claim.assertHeld();
  await owned.write(sweepFiles.description, `${JSON.stringify({ ...description, tasks: identities }, null, 2)}\n`, {
    beforeVisible,
  });
  await owned.write(sweepFiles.source, experiment.source, { beforeVisible });
  const lines = tasks.map((task) => `${JSON.stringify(task)}\n`).join('');
  await owned.write(sweepFiles.tasks, lines, { beforeVisible });
  const [first] = dropped;
  if (first !== undefined) {
    const runs = dropped.length === 1 ? '1 run' : `${dropped.length} runs`;
    options.onProblem?.(
      `'${folder}' had ${runs} that the experiment does not have, e.g. '${first.name}'. The results stay in the folder, and are not reported. If they belong to another experiment of this name, rename one of them or choose another ${options.option ?? '--folder'}.`,
    );
  }
  return sweep;
}

async function sweepIn(folder: string): Promise<Sweep | undefined> {
  try {
    return await readSweep(folder);
  } catch (error) {
    // No sweep yet, unlike a damaged one, whose indices are unknown.
    if (LocalgradError.isInstance(error) && error.details.isMissing === true) return undefined;
    throw error;
  }
}

/** Sweeps of versions that wrote no marker, by their description. */
async function recognize(folder: string, names: readonly string[]): Promise<Recognition> {
  if (!names.includes(sweepFiles.description)) return {};
  try {
    await readSweep(folder);
    return { files: Object.values(sweepFiles).filter((entry) => names.includes(entry.replace(/\/$/, ''))) };
  } catch (error) {
    if (!LocalgradError.isInstance(error)) throw error;
    return { reason: error.message };
  }
}

/**
 * Gives runs the indices and folders that they had, and further ones to new runs. Runs are recognized by their configs, so
 * that folders keep their names when a later version of localgrad hashes configs otherwise.
 */
class KnownRuns {
  readonly #known = new Map<string, Pick<SweepTask, 'index' | 'runId'>[]>();
  nextIndex: number;

  constructor(before: Sweep | undefined, runIdOf: WriteSweepOptions['runIdOf']) {
    this.nextIndex = before?.nextIndex ?? 0;
    // Conditions that differ only in where their data set lies have one run twice.
    for (const { runId, index, config } of before?.tasks ?? []) {
      const id = runIdOf(config);
      this.#known.set(id, [...(this.#known.get(id) ?? []), { index, runId }]);
    }
  }

  take(id: string): Pick<SweepTask, 'index' | 'runId'> {
    return this.#known.get(id)?.shift() ?? { index: this.nextIndex++, runId: id };
  }
}

/** Identifies the content of a sweep, whatever folder it is in. */
export function sweepHash({ tasks }: Pick<Sweep, 'tasks'>): string {
  return hashOf(tasks.map(({ runId }) => runId));
}
