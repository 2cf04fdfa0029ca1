import { join } from 'node:path';
import { weightsFile } from '@localgrad/backbones';
import { type BackendHandle, selectBackend } from '@localgrad/backends';
import { endOfTraining, type JsonObject, LocalgradError, weightAt } from '@localgrad/core';
import type { DatasetSplits } from '@localgrad/data';
import { describePlan } from '@localgrad/engine';
import { multiplyAccumulatesOf } from '@localgrad/nn';
import { checkMemory, type Observer, probeModules, train } from '@localgrad/train';
import { CheckpointClock } from './checkpoints/checkpoint-clock.js';
import { CheckpointFolder } from './checkpoints/checkpoint-folder.js';
import { inFlags } from './config/flag-names.js';
import type { RunConfig } from './config/run-config.js';
import { measurementEnvironment } from './environment.js';
import { faultOf } from './fault.js';
import { checkFinalWeights, soundSummary } from './finished-run.js';
import { listAttempts } from './folder/attempts.js';
import { Claim } from './folder/claim.js';
import { removeFile } from './folder/files.js';
import { checksumOf, hashOf } from './folder/hash.js';
import { MetricsFile } from './folder/metrics-file.js';
import type { OwnedFolder } from './folder/owned-folder.js';
import { everyRunFiles, inspectRunFolder, readRunConfig, runFiles } from './folder/run-folder.js';
import { lookForSummary } from './folder/run-state.js';
import { checkpointsIn, clearAfter, endLostAttempt } from './lost-attempt.js';
import { loadData, type PreparedRun, prepareRun } from './prepare-run.js';
import type { RunSummary } from './run-summary.js';
import { openTrackers, type TrackerOptions } from './run-trackers.js';
import { yamlText } from './yaml/yaml-text.js';

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
  /** `auto` goes on from the newest checkpoint that is whole, `never` starts over. */
  readonly resume: 'auto' | 'never';
  readonly keep?: KeepOptions;
  readonly trackers?: TrackerOptions;
  readonly observers?: readonly Observer[];
  readonly signal?: AbortSignal | undefined;
  /** Told of what is not as it should be but ends nothing. */
  readonly onProblem?: (message: string) => void;
  /** Already started, and not disposed of here; else one is started for this run. */
  readonly backend?: BackendHandle;
  readonly data?: DatasetSplits;
  /** Whether an error counts against the run, which may fail only so often. Default: unless the machine is to blame. */
  readonly countsAgainstRun?: (error: unknown) => boolean;
}

/** A run's result; undefined where another process is at work on it. */
export type ExecuteResult = { readonly summary: RunSummary; readonly wasFinished: boolean } | undefined;

/**
 * Runs a config in a folder of its own: `config.yaml` (resolved), `environment.json`, `metrics.jsonl` (every event),
 * `checkpoints/` while it runs, and at the end `weights.safetensors` (the backbone's) and `summary.json`. A finished run is not run again; an interrupted one goes on.
 *
 * @throws LocalgradError `invalid-option` if the folder contains another run, or files that are not localgrad's
 */
export async function executeRun(given: ExecuteOptions): Promise<ExecuteResult> {
  const { config, resume } = given;
  const owned = await inspectRunFolder(given.folder);
  const options = { ...given, folder: owned.path };
  const { folder } = options;
  const runId = runIdOf(config);
  await checkFolder(folder, config, runId);
  const { summary: finished } = resume === 'auto' ? await lookForSummary(folder) : {};
  if (finished !== undefined) {
    await checkFinalWeights(folder, finished, options.onProblem);
    await endLostAttempt(options, keepsCheckpoints(options.keep));
    return { summary: finished, wasFinished: true };
  }

  const data = options.data ?? (await loadData(config));
  const backend =
    options.backend ?? (await inFlags(config, () => selectBackend(config.backend, { threads: config.threads })));
  try {
    const run = await prepareRun(config, data);
    for (const notice of run.notices) options.onProblem?.(notice);
    try {
      // Before anything is written: a run that cannot start leaves no folder behind.
      checkMemory(run.compiled, config.batch, backend.availableBytes());
      await owned.create(everyRunFiles);
      const claim = await Claim.acquire(folder);
      if (claim === undefined) return undefined;
      return await attempt(claim, { ...options, runId, run, backend, owned });
    } finally {
      run.dispose();
    }
  } finally {
    if (options.backend === undefined) backend.dispose();
  }
}

/** Hash of what a run depends on; where its data set's files lie is not part of it. */
export function runIdOf({ dataFolder: _, ...config }: RunConfig): string {
  return hashOf(config);
}

interface AttemptOptions extends ExecuteOptions {
  readonly runId: string;
  readonly run: PreparedRun;
  readonly backend: BackendHandle;
  readonly owned: OwnedFolder;
}

interface CheckpointNotes {
  readonly metricsBytes: number;
  readonly backend: string;
}

async function attempt(claim: Claim, options: AttemptOptions): Promise<ExecuteResult> {
  const { config, folder, resume, runId, keep, signal } = options;
  let isOurs = false;
  try {
    // Images, backend and network took seconds, in which somebody may have begun another run here, or finished this one.
    await checkFolder(folder, config, runId);
    await options.owned.record(everyRunFiles);
    isOurs = true;
    const finished = resume === 'auto' ? await soundSummary(folder, options.onProblem) : undefined;
    if (finished !== undefined)
      await clearAfter((await listAttempts(folder)).at(-2), claim, folder, keepsCheckpoints(keep));
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
    const { countsAgainstRun = (cause) => faultOf(cause) !== 'machine' } = options;
    const isStop = !isOurs || (signal?.aborted === true && error === signal.reason) || !countsAgainstRun(error);
    await claim.release(isStop ? 'stopped' : 'failed', error instanceof Error ? error.message : String(error));
    throw error;
  }
}

/** Also when the run has ended. */
export function keepsCheckpoints({ keepLast, keepBest }: KeepOptions = {}): boolean {
  return keepLast !== undefined || keepBest === true;
}

async function trainIn(claim: Claim, options: AttemptOptions): Promise<RunSummary> {
  const { config, folder, runId, run, backend, owned, keep = {}, onProblem } = options;
  const checkpoints = new CheckpointFolder<CheckpointNotes>(checkpointsIn(folder), {
    runId,
    attempt: claim.attempt,
    assertHeld: () => claim.assertHeld(),
    ...(keep.keepLast === undefined ? {} : { keepLast: keep.keepLast }),
    ...(keep.keepBest === undefined ? {} : { keepBest: keep.keepBest }),
    ...(onProblem === undefined ? {} : { onProblem }),
  });
  if (options.resume === 'never') {
    // First of all: a process that is killed after this has not finished.
    await claim.assertHeld();
    await removeFile(join(folder, runFiles.summary));
    await checkpoints.clear();
  }
  const write = (name: string, content: string | Uint8Array) =>
    owned.write(name, content, { beforeVisible: () => claim.assertHeld() });
  await write(runFiles.config, yamlText(config));
  await write(runFiles.environment, `${JSON.stringify(await environmentOf(backend), null, 2)}\n`);
  const metricsPath = join(folder, runFiles.metrics);
  const last = await checkpoints.latest(({ metricsBytes }) => MetricsFile.lossIn(metricsPath, metricsBytes));
  if (last !== undefined && last.notes.backend !== backend.name) {
    onProblem?.(
      `Run ${runId} was begun on backend '${last.notes.backend}' and goes on on '${backend.name}': its result will not be the same bits.`,
    );
  }
  const metrics = new MetricsFile(metricsPath, last?.notes.metricsBytes, () => claim.assertHeldNow());
  const trackers = await openTrackers(options.trackers ?? {}, {
    folder: owned,
    runId,
    config,
    epochsDone: last?.progress.records.length ?? 0,
    startsOver: options.resume === 'never',
    onProblem: onProblem ?? (() => {}),
  }).catch((error: unknown) => {
    metrics.close();
    throw error;
  });
  const clock = new CheckpointClock();
  const result = await train({
    ...run.options,
    availableBytes: backend.availableBytes(),
    observers: [holdObserver(claim), metrics.observer(), ...trackers.observers, ...(options.observers ?? [])],
    ...(options.signal === undefined ? {} : { signal: options.signal }),
    ...(last === undefined ? {} : { resume: last }),
    checkpoints: {
      ...(keep.everyEpochs === undefined ? {} : { everyEpochs: keep.everyEpochs }),
      ...(keep.everySteps === undefined ? {} : { everySteps: keep.everySteps }),
      isDue: () => clock.isDue(),
      save: (checkpoint) =>
        clock.around(async () => {
          await claim.assertHeld();
          metrics.sync();
          await checkpoints.save(checkpoint, { metricsBytes: metrics.bytes, backend: backend.name });
          await claim.noteCheckpoint(checkpoint.progress.step);
        }),
    },
  })
    .then((trained) => {
      // All that the summary stands for reaches the disk before it does.
      metrics.sync();
      return trained;
    })
    .finally(() => {
      metrics.close();
      return trackers.close();
    });
  const probes = config.probe ? await probe(run, onProblem) : null;
  const weights = await weightsFile(run.compiled.network, { normalization: run.normalization });
  const summary: RunSummary = {
    formatVersion: 1,
    runId,
    config: config as unknown as JsonObject,
    backend: backend.name,
    ...result,
    objectives: run.compiled.objectives.map(({ id, role, span, weight }) => {
      return { id, role, span, weight: weightAt(weight, endOfTraining) };
    }),
    cost: costOf(run, config),
    probes,
    weights: checksumOf(weights),
  };
  await write(runFiles.weights, weights);
  await write(runFiles.summary, `${JSON.stringify(summary, null, 2)}\n`);
  if (!keepsCheckpoints(keep)) await checkpoints.clear();
  return summary;
}

/** First of all observers: where others have the run, it ends before anything more of this attempt is written. */
function holdObserver(claim: Claim): Observer {
  return { observe: () => claim.assertHeldSync() };
}

/** A network that has diverged has no probes, but a result; null then. */
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
  const forward = parts.reduce((sum, part) => sum + multiplyAccumulatesOf(part), 0);
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

/** A folder belongs to one run for good. */
async function checkFolder(folder: string, config: RunConfig, runId: string): Promise<void> {
  const before = await readRunConfig(folder);
  if (before === undefined) return;
  const other = runIdOf(before as unknown as RunConfig);
  if (other === runId) return;
  const keys = [...new Set([...Object.keys(before), ...Object.keys(config)])];
  const differing = keys.filter(
    (key) => JSON.stringify(before[key]) !== JSON.stringify((config as Record<string, unknown>)[key]),
  );
  throw new LocalgradError(
    'invalid-option',
    `'${folder}' holds run ${other}, which differs from this one (${runId}) in ${differing.join(', ')}. Name another folder, or none.`,
    { folder, runId, other, differing },
  );
}
