import { rejectUnknownKeys } from '@localgrad/core';
import { configIdOf, forgetFailures } from '@localgrad/runs';
import type { Experiment } from '../files/experiment.js';
import { draftSweep, runFolderOf, type Sweep, writeSweep } from '../sweep/sweep-folder.js';
import { readSweepStatus, type SweepStatus } from '../sweep/sweep-status.js';
import { checkConditions } from './check-conditions.js';
import { readExperiment } from './experiment-file.js';
import { defaultSweepFolder } from './open-sweep.js';

/** An experiment, or the file that describes it. */
export type ExperimentSource =
  | {
      readonly file: string;
      readonly experiment?: undefined;
      /** Values that replace some of the file's, as `path=value`. */
      readonly overrides?: readonly string[] | undefined;
    }
  | { readonly experiment: Experiment; readonly file?: undefined; readonly overrides?: undefined };

/** Where an experiment's sweep is kept. */
export interface SweepPlace {
  /** Default: `localgrad-sweeps/<name>`. */
  readonly folder?: string | undefined;
  /** Flag that names the folder, for messages. Default `--folder`. */
  readonly option?: string | undefined;
  /** Command that repeats the sweep, for its report. */
  readonly command?: string | undefined;
  /**
   * Receives warnings: if the folder's sweep had runs that the experiment does not have, or finished runs of conditions that are
   * not chosen had other inputs.
   */
  readonly onProblem?: ((message: string) => void) | undefined;
}

/** Names of the options that say which experiment is meant, and where its sweep is kept. */
export const sourceNames = [
  ...(['file', 'experiment', 'overrides', 'folder', 'option', 'command', 'onProblem'] as const),
] satisfies readonly (keyof (ExperimentSource & SweepPlace))[];

/** Names of the options of `RunnableSweep`. */
export const runnableNames = [...sourceNames, 'sweep', 'isChecked'] as const;

/** @throws LocalgradError `invalid-data` with `file:line:column` for each problem */
export async function experimentOf(source: ExperimentSource): Promise<Experiment> {
  return source.experiment ?? readExperiment(source.file, source.overrides);
}

/**
 * Writes the folder that workers work on, or updates it if the experiment has changed.
 *
 * @throws LocalgradError `invalid-option` if the folder contains another experiment
 */
export async function prepareSweep(source: ExperimentSource & SweepPlace): Promise<Sweep> {
  rejectUnknownKeys('prepareSweep', source, sourceNames);
  return writeSweep(...(await writingOf(source)));
}

/** Arguments of `writeSweep`. */
async function writingOf({
  folder,
  option,
  command,
  onProblem,
  ...source
}: ExperimentSource & SweepPlace): Promise<Parameters<typeof writeSweep>> {
  const experiment = await experimentOf(source);
  const kept = command === undefined ? {} : { command };
  return [folder ?? defaultSweepFolder(experiment), experiment, { runIdOf: configIdOf, option, onProblem, ...kept }];
}

/** An experiment with a place for its sweep, or a prepared sweep. */
export type RunnableSweep =
  | (ExperimentSource & SweepPlace & { readonly sweep?: undefined })
  /** `file`: name of the experiment file, for messages. */
  | {
      readonly sweep: Sweep;
      readonly file?: string | undefined;
      readonly experiment?: undefined;
      /** Whether `checkedSweep` returned it, so that its conditions are not checked again. */
      readonly isChecked?: boolean | undefined;
    };

/** The sweep; prepared first if it is described by an experiment. */
export async function preparedSweep(source: RunnableSweep): Promise<Sweep> {
  return source.sweep ?? writeSweep(...(await writingOf(source)));
}

/**
 * The sweep itself with the state of its runs. Its conditions (`only` those that match) are checked before its folder is
 * written.
 *
 * @throws LocalgradError where the experiment is wrong or a condition cannot run
 */
export async function checkedSweep(
  source: RunnableSweep & {
    readonly only?: readonly string[] | undefined;
    readonly threads?: number | undefined;
    /** Whether the runs' backends must be available on this machine. Default false: another one may run them. */
    readonly runsHere?: boolean | undefined;
  },
): Promise<{ sweep: Sweep; status: SweepStatus }> {
  const writing = source.sweep === undefined ? await writingOf(source) : undefined;
  const sweep = writing === undefined ? await preparedSweep(source) : await draftSweep(...writing);
  const status = await readSweepStatus(sweep);
  if (source.sweep === undefined || source.isChecked !== true) {
    const { file, threads, runsHere, only } = source;
    const { option, onProblem } = source.sweep === undefined ? source : {};
    await checkConditions(sweep, status, { file, threads, runsHere, only, option, onProblem });
  }
  return { sweep: writing === undefined ? sweep : await writeSweep(...writing), status };
}

/** Resets the failure counts of runs that have used up their attempts. @param chosen indices of runs; default: all */
export async function retryFailed(sweep: Sweep, chosen?: readonly number[]): Promise<void> {
  const { tasks } = await readSweepStatus(sweep);
  for (const { task, status } of tasks) {
    if (status !== 'failed' || chosen?.includes(task.index) === false) continue;
    await forgetFailures(runFolderOf(sweep, task));
  }
}
