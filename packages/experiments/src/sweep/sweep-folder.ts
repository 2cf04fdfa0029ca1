import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type JsonObject, LocalgradError } from '@localgrad/core';
import { createFolder, hashOf, readIfThere, readJsonIfThere, writeWhole } from '@localgrad/runs';
import type { Experiment } from '../files/experiment.js';

export const sweepFormatVersion = 1;

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
  /** Commands that made it, in order. */
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
}

/** Folder of a run of a sweep. */
export function runFolderOf(sweep: Pick<Sweep, 'folder'>, { runId }: Pick<SweepTask, 'runId'>): string {
  return join(sweep.folder, 'runs', runId);
}

/**
 * Writes an experiment into a folder that processes can work on. A folder of the same experiment is brought up to date:
 * runs that are in it stay, since a run is named by what it depends on, and keep their indices.
 *
 * @throws LocalgradError `invalid-option` where the folder holds another experiment
 */
export async function writeSweep(folder: string, experiment: Experiment, options: WriteSweepOptions): Promise<Sweep> {
  const before = existsSync(join(folder, 'sweep.json')) ? await readSweep(folder) : undefined;
  if (before !== undefined && before.name !== experiment.name) {
    throw new LocalgradError(
      'invalid-option',
      `'${folder}' holds the sweep '${before.name}', not '${experiment.name}'. Name another folder, or none.`,
      { folder },
    );
  }
  const { command } = options;
  const commands = [...(before?.commands ?? [])];
  if (command !== undefined && !commands.includes(command)) commands.push(command);
  const known = new KnownRuns(before, options.runIdOf);
  const tasks = experiment.seeds.flatMap((seed) =>
    experiment.conditions.map((condition): SweepTask => {
      const config = { ...condition.config, seed };
      const name = `${condition.name}, seed ${seed}`;
      return { ...known.take(options.runIdOf(config)), name, condition: condition.key, seed, config };
    }),
  );
  const sweep: Sweep = {
    folder,
    formatVersion: sweepFormatVersion,
    ...experiment,
    commands,
    nextIndex: known.nextIndex,
    tasks,
  };
  const { tasks: lines, folder: _, source, ...description } = sweep;
  await createFolder(folder);
  await writeWhole(join(folder, 'experiment.yaml'), source);
  await writeWhole(join(folder, 'tasks.jsonl'), lines.map((task) => `${JSON.stringify(task)}\n`).join(''));
  // Last: a folder with this file is whole.
  await writeWhole(join(folder, 'sweep.json'), `${JSON.stringify(description, null, 2)}\n`);
  return sweep;
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

/** @throws LocalgradError `invalid-data` where there is no sweep, or one that was written by another version */
export async function readSweep(folder: string): Promise<Sweep> {
  const description = await readJsonIfThere<Omit<Sweep, 'tasks' | 'folder' | 'source'>>(join(folder, 'sweep.json'));
  if (description === undefined) {
    throw new LocalgradError(
      'invalid-data',
      `'${folder}' holds no sweep: it has no sweep.json. 'localgrad sweep run FILE.yaml' makes one.`,
      { folder },
    );
  }
  if (description.formatVersion !== sweepFormatVersion) {
    throw new LocalgradError(
      'invalid-data',
      `'${folder}' has format version ${description.formatVersion}; this program reads ${sweepFormatVersion}.`,
      { folder },
    );
  }
  const lines = (await readIfThere(join(folder, 'tasks.jsonl'))) ?? '';
  const source = (await readIfThere(join(folder, 'experiment.yaml'))) ?? '';
  const tasks = lines.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line) as SweepTask]));
  // Folders of earlier versions had none, and indices without gaps.
  const nextIndex = description.nextIndex ?? tasks.length;
  return { ...description, folder, source, nextIndex, tasks };
}

/** Identifies the content of a sweep, whatever folder it is in. */
export function sweepHash({ tasks }: Pick<Sweep, 'tasks'>): string {
  return hashOf(tasks.map(({ runId }) => runId));
}
