import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { weightsFile } from '@localgrad/backbones';
import { type BackendHandle, selectBackend } from '@localgrad/backends';
import { type JsonObject, LocalgradError, weightAt } from '@localgrad/core';
import type { DatasetSplits } from '@localgrad/data';
import { describePlan } from '@localgrad/engine';
import { checkMemory, type Observer, probeModules, train } from '@localgrad/train';
import { stringify } from 'yaml';
import { CheckpointFolder } from './checkpoints/checkpoint-folder.js';
import type { NameOptions } from './config/resolve-names.js';
import type { RunConfig } from './config/run-config.js';
import { divergenceOf } from './divergence.js';
import { measurementEnvironment } from './environment.js';
import { runWeightsName } from './export-weights.js';
import { listAttempts } from './folder/attempts.js';
import { Claim } from './folder/claim.js';
import { writeWhole } from './folder/files.js';
import { MetricsFile } from './folder/metrics-file.js';
import { readSummary } from './folder/run-state.js';
import { checkFolder, writeIdentity } from './identity/run-folder.js';
import { identifyRun, type RunIdentity } from './identity/run-identity.js';
import { loadData } from './load-data.js';
import { checkpointsIn, clearAfter, endLostAttempt } from './lost-attempt.js';
import { type PreparedRun, prepareRun } from './prepare-run.js';
import type { RunSummary } from './run-summary.js';
import { mlflowNoteName, openTrackers, type TrackerOptions } from './run-trackers.js';

/** How a run is kept, which has no influence on its result. */
export interface KeepOptions {
  readonly everyEpochs?: number | undefined;
  readonly everySteps?: number | undefined;
  readonly keepLast?: number | undefined;
  readonly keepBest?: boolean | undefined;
}

export interface ExecuteOptions {
  readonly config: RunConfig;
  readonly folder: string;
  /** `auto` resumes from the newest complete checkpoint, `never` starts over and replaces any run in the folder. */
  readonly resume: 'auto' | 'never';
  readonly keep?: KeepOptions;
  readonly trackers?: TrackerOptions;
  readonly observers?: readonly Observer[];
  readonly signal?: AbortSignal | undefined;
  /** Receives problems that do not end the run. */
  readonly onProblem?: (message: string) => void;
  /** A running backend, which is not disposed of here. Default: one is started for this run. */
  readonly backend?: BackendHandle;
  readonly data?: DatasetSplits;
  /** Where the names in the config are looked up. */
  readonly names?: NameOptions;
  /** What to do about a different run in the folder, for the error; default: the options of `localgrad train`. */
  readonly advice?: string;
}

/** A run's result; undefined where another process is working on it. */
export type ExecuteResult = { readonly summary: RunSummary; readonly wasFinished: boolean } | undefined;

/**
 * Runs a config in a folder of its own: `config.yaml` (resolved), `identity.json` (all that the result depends on),
 * `environment.json`, `metrics.jsonl` (every event), `checkpoints/` while it runs, and at the end `weights.safetensors` (of
 * the backbone) and `summary.json`. A finished run is not repeated; an interrupted one is resumed.
 *
 * @throws LocalgradError `invalid-option` where the folder contains a different run; the message names what differs
 */
export async function executeRun(options: ExecuteOptions): Promise<ExecuteResult> {
  const { config, folder, resume, names = {} } = options;
  const data = options.data ?? (await loadData(config, names));
  const identity = await identifyRun(config, data, names);
  const runId = await checkFolder({ ...options, identity });
  const finished = resume === 'auto' ? await readSummary(folder) : undefined;
  if (finished !== undefined) {
    await endLostAttempt(options, keepsCheckpoints(options.keep));
    return { summary: finished, wasFinished: true };
  }

  const backend = options.backend ?? (await selectBackend(config.backend, { threads: config.threads }));
  try {
    const run = await prepareRun(config, data, names);
    try {
      // Before anything is written: a run that cannot start leaves no folder behind.
      checkMemory(run.compiled, config.batch, backend.availableBytes());
      const claim = await Claim.acquire(folder);
      if (claim === undefined) return undefined;
      return await attempt(claim, { ...options, identity: { ...identity, runId }, run, backend });
    } finally {
      run.dispose();
    }
  } finally {
    if (options.backend === undefined) backend.dispose();
  }
}

interface AttemptOptions extends ExecuteOptions {
  readonly identity: RunIdentity;
  readonly run: PreparedRun;
  readonly backend: BackendHandle;
}

interface CheckpointNotes {
  readonly metricsBytes: number;
  readonly backend: string;
}

async function attempt(claim: Claim, options: AttemptOptions): Promise<ExecuteResult> {
  const { folder, resume, keep, signal } = options;
  let isOurs = false;
  try {
    // Loading images and a backend took seconds: another process may have started a different run here, or finished this one.
    await checkFolder({ ...options, onProblem: undefined });
    isOurs = true;
    const finished = resume === 'auto' ? await readSummary(folder) : undefined;
    if (finished !== undefined) await clearAfter((await listAttempts(folder)).at(-2), folder, keepsCheckpoints(keep));
    const summary = finished ?? (await trainIn(claim, options));
    await claim.release('finished');
    return { summary, wasFinished: finished !== undefined };
  } catch (error) {
    if (claim.isTakenOver) {
      // The run is in other hands: that this attempt ends is no failure of the run.
      await claim.release('stopped', error instanceof Error ? error.message : String(error));
      return undefined;
    }
    // That this run cannot be here is no failure of the one whose folder it is.
    const isStop = !isOurs || (signal?.aborted === true && error === signal.reason);
    await claim.release(isStop ? 'stopped' : 'failed', error instanceof Error ? error.message : String(error));
    throw error;
  }
}

/** Also when the run has ended. */
export function keepsCheckpoints({ keepLast, keepBest }: KeepOptions = {}): boolean {
  return keepLast !== undefined || keepBest === true;
}

async function trainIn(claim: Claim, options: AttemptOptions): Promise<RunSummary> {
  const { config, folder, identity, run, backend, keep = {}, onProblem } = options;
  const { runId } = identity;
  const checkpoints = new CheckpointFolder<CheckpointNotes>(checkpointsIn(folder), {
    runId,
    ...(keep.keepLast === undefined ? {} : { keepLast: keep.keepLast }),
    ...(keep.keepBest === undefined ? {} : { keepBest: keep.keepBest }),
    ...(onProblem === undefined ? {} : { onProblem }),
  });
  if (options.resume === 'never') {
    // The summary first: a process that is killed after this has not finished the run. MLflow then gets a run of its own.
    for (const name of ['summary.json', runWeightsName, mlflowNoteName]) await rm(join(folder, name), { force: true });
    await checkpoints.clear();
  }
  await writeIdentity(folder, identity);
  await writeWhole(join(folder, 'config.yaml'), stringify(config));
  await writeWhole(join(folder, 'environment.json'), `${JSON.stringify(await environmentOf(backend), null, 2)}\n`);
  const metricsPath = join(folder, 'metrics.jsonl');
  const last = await checkpoints.latest(({ metricsBytes }) => MetricsFile.lossIn(metricsPath, metricsBytes));
  if (last !== undefined && last.notes.backend !== backend.name) {
    onProblem?.(
      `Run ${runId} was started on backend '${last.notes.backend}' and is resumed on '${backend.name}': its result will not be bit-identical.`,
    );
  }
  const metrics = new MetricsFile(metricsPath, last?.notes.metricsBytes);
  const trackers = await openTrackers(options.trackers ?? {}, {
    folder,
    runId,
    config,
    epochsDone: last?.progress.records.length ?? 0,
    onProblem: onProblem ?? (() => {}),
  });
  const result = await train({
    ...run.options,
    availableBytes: backend.availableBytes(),
    observers: [holdObserver(claim), metrics.observer(), ...trackers.observers, ...(options.observers ?? [])],
    ...(options.signal === undefined ? {} : { signal: options.signal }),
    ...(last === undefined ? {} : { resume: last }),
    checkpoints: {
      ...(keep.everyEpochs === undefined ? {} : { everyEpochs: keep.everyEpochs }),
      ...(keep.everySteps === undefined ? {} : { everySteps: keep.everySteps }),
      async save(checkpoint) {
        await claim.assertHeld();
        await metrics.sync();
        await checkpoints.save(checkpoint, { metricsBytes: metrics.bytes, backend: backend.name });
        await claim.noteCheckpoint(checkpoint.progress.step);
      },
    },
  }).finally(() => trackers.close());
  const divergence = await divergenceOf(result.epochs, run.compiled.parameters.values());
  if (divergence !== null) onProblem?.(`The run has diverged: ${divergence}.`);
  const probes = config.probe && divergence === null ? await probe(run, onProblem) : null;
  await claim.assertHeld();
  const summary: RunSummary = {
    formatVersion: 1,
    status: divergence === null ? 'finished' : 'diverged',
    divergence,
    runId,
    config: config as unknown as JsonObject,
    backend: backend.name,
    ...result,
    objectives: run.compiled.objectives.map(({ id, role, span, weight }) => {
      return { id, role, span, weight: weightAt(weight, 1) };
    }),
    cost: costOf(run, config),
    probes,
  };
  const weights = await weightsFile(run.compiled.network, { normalisation: run.normalisation });
  await writeWhole(join(folder, runWeightsName), weights);
  await writeWhole(join(folder, 'summary.json'), `${JSON.stringify(summary, null, 2)}\n`);
  if (!keepsCheckpoints(keep)) await checkpoints.clear();
  return summary;
}

/** First of all observers: where others have the run, it ends before anything more of this attempt is written. */
function holdObserver(claim: Claim): Observer {
  return { observe: () => claim.assertHeldSync() };
}

/** Null where the features cannot be probed, which costs the run nothing else. */
async function probe(
  { compiled, options }: PreparedRun,
  onProblem: ExecuteOptions['onProblem'],
): Promise<number[] | null> {
  const testBatches = options.testBatches;
  if (testBatches === undefined) throw new LocalgradError('misuse', 'A probe needs test images.');
  try {
    return await probeModules({ network: compiled.network, batches: options.batches, testBatches });
  } catch (error) {
    if (!LocalgradError.isInstance(error)) throw error;
    onProblem?.(`The modules could not be probed, the summary says null: ${error.message}`);
    return null;
  }
}

function costOf({ compiled }: PreparedRun, { batch }: RunConfig): RunSummary['cost'] {
  const { totals } = describePlan(compiled, batch);
  const { backbone } = compiled.network;
  const parts = [...backbone.blocks.map(({ block }) => block), backbone.classifier];
  const forward = parts.reduce((sum, { cost }) => sum + cost.multiplyAccumulates, 0);
  const weights = parts.flatMap(({ parameters }) => parameters).filter(({ kind }) => kind === 'weight');
  return {
    backboneParameters: weights.reduce((sum, { size }) => sum + size, 0),
    trainedParameters: totals.parameters,
    unitsOfWork: totals.unitsOfWork,
    multiplyAccumulatesPerImage: totals.unitsOfWork * forward,
    predictedPeakBytes: totals.predictedPeakBytes,
  };
}

/** Asked for once: short runs one after another should not wait for it. */
let environment: ReturnType<typeof measurementEnvironment> | undefined;

async function environmentOf({ name, device, threads }: BackendHandle): Promise<object> {
  environment ??= measurementEnvironment();
  return { ...(await environment), date: new Date().toISOString(), backend: name, device, threads };
}
