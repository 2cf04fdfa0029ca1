import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { LocalgradError } from '@localgrad/core';
import { csvWriter, type MlflowTracker, mlflowTracker, tensorboardWriter } from '@localgrad/trackers';
import type { Observer } from '@localgrad/train';
import type { RunConfig } from './config/run-config.js';
import { readJsonIfThere, writeWhole } from './folder/files.js';

/** Trackers besides the files of a run. */
export interface TrackerOptions {
  /** Event files in the folder `tensorboard` of the run. */
  readonly tensorboard?: boolean | undefined;
  /** One row per epoch in `epochs.csv` of the run. */
  readonly csv?: boolean | undefined;
  /**
   * URL of an MLflow server. Credentials belong in the environment: MLFLOW_TRACKING_TOKEN, or MLFLOW_TRACKING_USERNAME and
   * MLFLOW_TRACKING_PASSWORD.
   */
  readonly mlflow?: string | undefined;
  /** MLflow experiment. Default `localgrad`. */
  readonly mlflowExperiment?: string | undefined;
}

export interface Trackers {
  readonly observers: readonly Observer[];
  /** Sends queued data. */
  close(): Promise<void>;
}

export interface TrackedRun {
  readonly folder: string;
  readonly runId: string;
  readonly config: RunConfig;
  /** Number of completed epochs when resuming. */
  readonly epochsDone: number;
  /** Whether earlier results of the run are discarded: MLflow then gets a new run. */
  readonly startsOver: boolean;
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
  const note = join(run.folder, 'mlflow.json');
  if (run.startsOver) await rm(note, { force: true });
  const known = await knownRunId(note, run.onProblem);
  const { MLFLOW_TRACKING_TOKEN: token, MLFLOW_TRACKING_USERNAME: username = '' } = process.env;
  const { MLFLOW_TRACKING_PASSWORD: password = '' } = process.env;
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
    ...(username === '' && password === '' ? {} : { credentials: { username, password } }),
    ...(known === undefined ? {} : { runId: known }),
  });
}

/** ID of the MLflow run to resume. A broken note costs the connection to the earlier run, not the run itself. */
async function knownRunId(note: string, onProblem: (message: string) => void): Promise<string | undefined> {
  try {
    const content = await readJsonIfThere<unknown>(note);
    if (content === undefined) return undefined;
    const runId: unknown = typeof content === 'object' && content !== null ? Reflect.get(content, 'runId') : undefined;
    if (typeof runId === 'string' && runId !== '') return runId;
  } catch (error) {
    if (!LocalgradError.isInstance(error)) throw error;
  }
  onProblem(`'${note}' contains no MLflow run ID; MLflow gets a new run.`);
  return undefined;
}
