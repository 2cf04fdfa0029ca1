import { configIdOf, forgetFailures } from '@localgrad/runs';
import type { Experiment } from '../files/experiment.js';
import { runFolderOf, type Sweep, writeSweep } from '../sweep/sweep-folder.js';
import { readSweepStatus } from '../sweep/sweep-status.js';
import { readExperiment } from './experiment-file.js';
import { defaultSweepFolder } from './open-sweep.js';

/** An experiment, or the file that describes it. */
export type ExperimentSource =
  | { readonly file: string; readonly experiment?: undefined }
  | { readonly experiment: Experiment; readonly file?: undefined };

/** Where an experiment's sweep is kept. */
export interface SweepPlace {
  /** Default: `localgrad-sweeps/<name>`. */
  readonly folder?: string | undefined;
  /** Command that repeats the sweep, for its report. */
  readonly command?: string | undefined;
}

/** @throws LocalgradError `invalid-data` with `file:line:column` for each problem */
export async function experimentOf(source: ExperimentSource): Promise<Experiment> {
  return source.experiment ?? readExperiment(source.file);
}

/**
 * Writes the folder that workers work on, or updates it if the experiment has changed.
 *
 * @throws LocalgradError `invalid-option` if the folder contains another experiment
 */
export async function prepareSweep({ folder, command, ...source }: ExperimentSource & SweepPlace): Promise<Sweep> {
  const experiment = await experimentOf(source);
  const kept = command === undefined ? {} : { command };
  return writeSweep(folder ?? defaultSweepFolder(experiment), experiment, { runIdOf: configIdOf, ...kept });
}

/** An experiment with a place for its sweep, or a prepared sweep. */
export type RunnableSweep =
  | (ExperimentSource & SweepPlace & { readonly sweep?: undefined })
  /** `file`: name of the experiment file, for messages. */
  | { readonly sweep: Sweep; readonly file?: string | undefined; readonly experiment?: undefined };

/** The sweep; prepared first if it is described by an experiment. */
export async function preparedSweep(source: RunnableSweep): Promise<Sweep> {
  return source.sweep ?? prepareSweep(source);
}

/** Resets the failure counts of runs that have used up their attempts. */
export async function retryFailed(sweep: Sweep): Promise<void> {
  const { tasks } = await readSweepStatus(sweep);
  for (const { task, status } of tasks) if (status === 'failed') await forgetFailures(runFolderOf(sweep, task));
}
