import { LocalgradError } from '@localgrad/core';
import { type MlflowTracker, mlflowTracker, tensorboardWriter } from '@localgrad/trackers';
import type { Observer } from '@localgrad/train';
import { z } from 'zod';
import { recordedConfig } from './config/recorded-config.js';
import type { RunConfig } from './config/run-config.js';
import { EpochsFile } from './folder/epochs-file.js';
import { removeFile, writeWhole } from './folder/files.js';
import type { OwnedFolder } from './folder/owned-folder.js';
import { runFiles } from './folder/run-folder.js';
import { readStateFile } from './folder/state-file.js';

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
  /** Returns when all rows have reached the disk: before a checkpoint or a summary relies on them. */
  sync(): void;
  /** Sends queued data. */
  close(): Promise<void>;
}

export interface TrackedRun {
  readonly folder: OwnedFolder;
  readonly runId: string;
  readonly config: RunConfig;
  /** Number of completed epochs when resuming. */
  readonly epochsDone: number;
  /** Whether earlier results of the run are discarded: MLflow then gets a new run. */
  readonly startsOver: boolean;
  /** Throws if another attempt has taken the run over. Called before a file becomes visible. */
  readonly assertHeld: () => void;
  readonly onProblem: (message: string) => void;
}

/** Run of the server that this run reports to. */
const mlflowFormat = { what: "the note of an MLflow run's ID", schema: z.looseObject({ runId: z.string().min(1) }) };

export async function openTrackers(options: TrackerOptions, run: TrackedRun): Promise<Trackers> {
  const { tensorboard, csv, mlflow: server } = options;
  const { folder, epochsDone } = run;
  await folder.record([
    ...(tensorboard === true ? [runFiles.tensorboard] : []),
    ...(csv === true ? [runFiles.epochs] : []),
    ...(server === undefined ? [] : [runFiles.mlflow]),
  ]);
  const observers: Observer[] = [];
  if (tensorboard === true) observers.push(tensorboardWriter({ folder: folder.file(runFiles.tensorboard) }));
  const mlflow = server === undefined ? undefined : await openMlflow(server, options, run);
  const table =
    csv === true ? await EpochsFile.open(folder.file(runFiles.epochs), epochsDone, run.assertHeld) : undefined;
  if (table !== undefined) observers.push(table.observer());
  if (mlflow !== undefined) observers.push(mlflow);
  return {
    observers,
    sync: () => table?.sync(),
    close: async () => {
      table?.close();
      await mlflow?.close();
    },
  };
}

async function openMlflow(url: string, options: TrackerOptions, run: TrackedRun): Promise<MlflowTracker> {
  const note = run.folder.file(runFiles.mlflow);
  if (run.startsOver) await removeFile(note);
  const known = await knownMlflowRun(note, run.onProblem);
  const { MLFLOW_TRACKING_TOKEN: token, MLFLOW_TRACKING_USERNAME: username = '' } = process.env;
  const { MLFLOW_TRACKING_PASSWORD: password = '' } = process.env;
  const parameters = Object.entries(recordedConfig(run.config)).flatMap(([key, value]) =>
    value === undefined ? [] : [[key, Array.isArray(value) ? value.join(',') : value] as const],
  );
  let noted: Promise<void> = Promise.resolve();
  const tracker = mlflowTracker({
    url,
    experiment: options.mlflowExperiment ?? 'localgrad',
    runName: `${run.config.method} ${run.runId}`,
    parameters: Object.fromEntries(parameters),
    onProblem: run.onProblem,
    onRun: (runId) => {
      noted = writeWhole(note, `${JSON.stringify({ runId })}\n`).catch((error: Error) => run.onProblem(error.message));
    },
    ...(token === undefined ? {} : { token }),
    ...(username === '' && password === '' ? {} : { credentials: { username, password } }),
    ...(known === undefined ? {} : { runId: known.runId }),
  });
  return {
    observe: (event) => tracker.observe(event),
    // A process that ends before the note is written would create another MLflow run when it resumes.
    close: async () => {
      await tracker.close();
      await noted;
    },
  };
}

/** Tracking must not end a run: without a readable note, the server gets a new run. */
async function knownMlflowRun(note: string, onProblem: (message: string) => void) {
  try {
    return await readStateFile(note, mlflowFormat);
  } catch (error) {
    if (!LocalgradError.isInstance(error)) throw error;
    onProblem(`${error.message} MLflow gets a new run.`);
    return undefined;
  }
}
