import { join } from 'node:path';
import { type WeightsExtra, weightsFile } from '@localgrad/backbones';
import type { BackendHandle } from '@localgrad/backends';
import { endOfTraining, type JsonObject, LocalgradError, weightAt } from '@localgrad/core';
import { describePlan, describeRules } from '@localgrad/engine';
import { multiplyAccumulatesOf } from '@localgrad/nn/cost';
import { type EpochRecord, type Observer, probeModules, train } from '@localgrad/train';
import { type Arithmetic, arithmeticDifference, arithmeticOf } from './arithmetic.js';
import { CheckpointClock } from './checkpoints/checkpoint-clock.js';
import { CheckpointFolder } from './checkpoints/checkpoint-folder.js';
import { recordedConfig } from './config/recorded-config.js';
import type { RunConfig } from './config/run-config.js';
import { divergenceOf } from './divergence.js';
import { RunStopped, readEarlyStop, StopWatch, stopText } from './early-stop.js';
import { measurementEnvironment } from './environment.js';
import { type ExecuteOptions, keepsCheckpoints } from './execute-options.js';
import type { Claim } from './folder/claim.js';
import { checksumOf } from './folder/hash.js';
import { MetricsFile } from './folder/metrics-file.js';
import type { OwnedFolder } from './folder/owned-folder.js';
import { runFiles } from './folder/run-folder.js';
import type { RunIdentity } from './identity/run-identity.js';
import { checkpointsIn } from './lost-attempt.js';
import { type PreparedRun, predictionOf } from './prepare-run.js';
import type { RunSummary } from './run-summary.js';
import { openTrackers } from './run-trackers.js';
import { sum } from './sum.js';
import { yamlText } from './yaml/yaml-text.js';

export interface AttemptOptions extends ExecuteOptions {
  /** Its `runId` is the one that the files in the folder use. */
  readonly identity: RunIdentity;
  /** The folder as given by the user, for messages. */
  readonly shownFolder: string;
  readonly run: PreparedRun;
  readonly backend: BackendHandle;
  readonly owned: OwnedFolder;
}

interface CheckpointNotes extends Arithmetic {
  readonly metricsBytes: number;
  /** What the weights of the finished run will record: the network can be used before that. */
  readonly images: WeightsExtra;
}

/** Trains from the newest valid checkpoint to the summary. */
export async function trainIn(claim: Claim, options: AttemptOptions): Promise<RunSummary> {
  const { config, folder, identity, run, backend, owned, keep = {}, onProblem } = options;
  const { runId } = identity;
  const checkpoints = new CheckpointFolder<CheckpointNotes>(checkpointsIn(folder), {
    runId,
    attempt: claim.attempt,
    assertHeld: () => claim.assertHeld(),
    ...(keep.keepLast === undefined ? {} : { keepLast: keep.keepLast }),
    ...(keep.keepBest === undefined ? {} : { keepBest: keep.keepBest }),
    ...(onProblem === undefined ? {} : { onProblem }),
  });
  if (options.resume === 'never') {
    await claim.assertHeld();
    // The summary first: a process that is killed after this has not finished the run.
    for (const name of [runFiles.summary, runFiles.weights]) await owned.remove(name);
    await checkpoints.clear();
  }
  const write = (name: string, content: string | Uint8Array) =>
    owned.write(name, content, { beforeVisible: () => claim.assertHeld() });
  const metricsPath = join(folder, runFiles.metrics);
  // Before anything is replaced: this and the next call reject the files of newer versions.
  const last = await checkpoints.latest(({ metricsBytes }) => MetricsFile.lossIn(metricsPath, metricsBytes));
  if (options.resume === 'auto') await readEarlyStop(folder);
  // A run that is resumed after it was stopped is an ordinary run again.
  await owned.remove(runFiles.stopped);
  await write(runFiles.identity, `${JSON.stringify(identity, null, 2)}\n`);
  await write(runFiles.config, yamlText(recordedConfig(config)));
  await write(runFiles.environment, `${JSON.stringify(await environmentOf(backend), null, 2)}\n`);
  // A slower build than the requested one is running, e.g. one without threads.
  if (typeof backend.facts.reason === 'string') onProblem?.(backend.facts.reason);
  const arithmetic = arithmeticOf(backend);
  const difference = last === undefined ? undefined : arithmeticDifference(last.notes, arithmetic);
  if (difference !== undefined) onProblem?.(`Run ${runId} ${difference}: its result will not be bit-identical.`);
  const metrics = new MetricsFile(metricsPath, last?.notes.metricsBytes, () => claim.assertHeldNow());
  const trackers = await openTrackers(options.trackers ?? {}, {
    folder: owned,
    runId,
    config,
    epochsDone: last?.progress.records.length ?? 0,
    startsOver: options.resume === 'never',
    assertHeld: () => claim.assertHeldNow(),
    onProblem: onProblem ?? (() => {}),
  }).catch((error: unknown) => {
    metrics.close();
    throw error;
  });
  const clock = new CheckpointClock();
  const stopWatches = options.stopRule === undefined ? [] : [new StopWatch(options.stopRule, config.epochs)];
  // A process that was killed may have left before it had decided, or recorded its decision.
  for (const watch of stopWatches) watch.judge(last?.progress.records.length ?? 0);
  const result = await train({
    ...run.options,
    availableBytes: backend.availableBytes(),
    observers: [
      holdObserver(claim),
      metrics.observer(),
      ...trackers.observers,
      ...(options.observers ?? []),
      ...stopWatches,
    ],
    signal: AbortSignal.any([
      ...stopWatches.map((watch) => watch.signal),
      ...(options.signal === undefined ? [] : [options.signal]),
    ]),
    ...(last === undefined ? {} : { resume: last }),
    checkpoints: {
      ...(keep.everyEpochs === undefined ? {} : { everyEpochs: keep.everyEpochs }),
      ...(keep.everySteps === undefined ? {} : { everySteps: keep.everySteps }),
      isDue: () => clock.isDue(),
      save: (checkpoint) =>
        clock.around(async () => {
          await claim.assertHeld();
          metrics.sync();
          trackers.sync();
          await checkpoints.save(checkpoint, { metricsBytes: metrics.bytes, ...arithmetic, images: run.extra });
          await claim.noteCheckpoint(checkpoint.progress.step);
        }),
    },
  })
    .then((trained) => {
      // Everything that the summary describes must reach the disk first.
      metrics.sync();
      trackers.sync();
      return trained;
    })
    .catch(async (error: unknown) => {
      if (error instanceof RunStopped) await write(runFiles.stopped, stopText(error.stop));
      throw error;
    })
    .finally(() => {
      metrics.close();
      return trackers.close();
    });
  const divergence = await divergenceOf(result.epochs, run.compiled.parameters.values());
  if (divergence !== null) onProblem?.(`The run has diverged: ${divergence}.`);
  const probes = config.probe && divergence === null ? await probe(run, onProblem) : null;
  const rules = describeRules(run.compiled, run.options.optimizer);
  const weights = await weightsFile(run.compiled.network, run.extra);
  const summary: RunSummary = {
    formatVersion: 1,
    status: divergence === null ? 'finished' : 'diverged',
    divergence,
    runId,
    config: config as unknown as JsonObject,
    backend: backend.name,
    ...result,
    objectives: run.compiled.objectives.map(({ id, role, span, weight }) => {
      return { id, role, span, weight: weightAt(weight, endOfTraining) };
    }),
    cost: costOf(run, config, result.epochs),
    ...(rules.length === 0 ? {} : { rules }),
    probes,
    ...(run.timing === undefined ? {} : { timing: run.timing() }),
    weights: checksumOf(weights),
  };
  await write(runFiles.weights, weights);
  await write(runFiles.summary, `${JSON.stringify(summary, null, 2)}\n`);
  if (!keepsCheckpoints(keep)) await checkpoints.clear();
  return summary;
}

/** The first observer: if another process has taken over the run, ends this attempt before it writes anything else. */
function holdObserver(claim: Claim): Observer {
  return { observe: () => claim.assertHeldSync() };
}

/** Null if the probe fails, which does not affect the rest of the run. */
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
    onProblem?.(`The modules could not be probed, so 'probes' is null in the summary: ${error.message}`);
    return null;
  }
}

function costOf(
  run: PreparedRun,
  { batch, accumulate }: RunConfig,
  epochs: readonly EpochRecord[],
): RunSummary['cost'] {
  const { compiled, options } = run;
  const { totals } = describePlan(compiled, batch, { optimizer: options.optimizer, accumulate });
  const { backbone } = compiled.network;
  const parts = [...backbone.blocks.map(({ block }) => block), backbone.classifier];
  const forward = sum(parts.map(multiplyAccumulatesOf));
  const counted = epochs.map((epoch) => epoch.multiplyAccumulatesPerImage ?? totals.unitsOfWork * forward);
  // All epochs have the same number of steps.
  const multiplyAccumulatesPerImage = sum(counted) / counted.length;
  const weights = parts.flatMap(({ parameters }) => parameters).filter(({ kind }) => kind === 'weight');
  return {
    backboneParameters: sum(weights.map(({ size }) => size)),
    trainedParameters: totals.parameters,
    unitsOfWork: multiplyAccumulatesPerImage / forward,
    multiplyAccumulatesPerImage,
    predictedPeakBytes: predictionOf(run)(batch).peakBytes,
  };
}

/** Measured once, so that a sequence of short runs does not wait for it. */
let environment: ReturnType<typeof measurementEnvironment> | undefined;

async function environmentOf({ name, device, threads, facts }: BackendHandle): Promise<object> {
  environment ??= measurementEnvironment();
  return { ...(await environment), date: new Date().toISOString(), backend: name, device, threads, facts };
}
