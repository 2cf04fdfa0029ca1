import { join } from 'node:path';
import { csvWriter, type MlflowTracker, mlflowTracker, tensorboardWriter } from '@localgrad/trackers';
import type { Observer } from '@localgrad/train';
import type { RunConfig } from './config/run-config.js';
import { readJsonIfThere, writeWhole } from './folder/files.js';

/** In a run's folder: the ID that MLflow's server gave to the run. */
export const mlflowNoteName = 'mlflow.json';

/** Where a run is shown besides its own files. */
export interface TrackerOptions {
  /** Event files in the run's folder `tensorboard`. */
  readonly tensorboard?: boolean | undefined;
  /** One row an epoch, in the run's `epochs.csv`. */
  readonly csv?: boolean | undefined;
  /** Address of an MLflow server. */
  readonly mlflow?: string | undefined;
  /** MLflow's experiment. Default `localgrad`. */
  readonly mlflowExperiment?: string | undefined;
}

export interface Trackers {
  readonly observers: readonly Observer[];
  /** Sends what is still on its way. */
  close(): Promise<void>;
}

export interface TrackedRun {
  readonly folder: string;
  readonly runId: string;
  readonly config: RunConfig;
  /** Where the run goes on. */
  readonly epochsDone: number;
  readonly onProblem: (message: string) => void;
}

export async function openTrackers(options: TrackerOptions, run: TrackedRun): Promise<Trackers> {
  const observers: Observer[] = [];
  if (options.tensorboard === true) observers.push(tensorboardWriter({ folder: join(run.folder, 'tensorboard') }));
  if (options.csv === true) observers.push(csvWriter(join(run.folder, 'epochs.csv'), { keepRows: run.epochsDone }));
  const mlflow = options.mlflow === undefined ? undefined : await openMlflow(options.mlflow, options, run);
  return {
    observers: mlflow === undefined ? observers : [...observers, mlflow],
    close: async () => mlflow?.close(),
  };
}

async function openMlflow(url: string, options: TrackerOptions, run: TrackedRun): Promise<MlflowTracker> {
  const note = join(run.folder, mlflowNoteName);
  const known = await readJsonIfThere<{ readonly runId: string }>(note);
  const { MLFLOW_TRACKING_TOKEN: token } = process.env;
  const parameters = Object.entries(run.config).flatMap(([key, value]) =>
    value === undefined ? [] : [[key, Array.isArray(value) ? value.join(',') : value] as const],
  );
  return mlflowTracker({
    url,
    experiment: options.mlflowExperiment ?? 'localgrad',
    runName: `${run.config.method} ${run.runId}`,
    parameters: Object.fromEntries(parameters),
    onProblem: run.onProblem,
    onRun: (runId) => {
      writeWhole(note, `${JSON.stringify({ runId })}\n`).catch((error: Error) => run.onProblem(error.message));
    },
    ...(token === undefined ? {} : { token }),
    ...(known === undefined ? {} : { runId: known.runId }),
  });
}
