import { selectBackend } from '@localgrad/backends';
import { locatedMessageOf, messageOf } from '@localgrad/core';
import { checkMemory } from '@localgrad/train';
import { checkOutput } from './config/check-output.js';
import { withDecidedCuts } from './config/explicit-partition.js';
import { inTermsOfKeys } from './config/option-keys.js';
import { isRuleEnd } from './early-stop.js';
import { checkExecuteOptions, type ExecuteOptions, keepsCheckpoints } from './execute-options.js';
import { faultOf } from './fault.js';
import { checkFinalWeights, reportUnwritten, soundSummary } from './finished-run.js';
import { listAttempts } from './folder/attempts.js';
import { Claim } from './folder/claim.js';
import { everyRunFiles, inspectRunFolder } from './folder/run-folder.js';
import { lookForSummary } from './folder/run-state.js';
import { checkFolder } from './identity/run-folder.js';
import { identifyRun } from './identity/run-identity.js';
import { loadData } from './load-data.js';
import { clearAfter, endLostAttempt } from './lost-attempt.js';
import { checkWorkerBackend, mainThreadsOf } from './pipeline/run-pipeline.js';
import { predictionOf, prepareRun } from './prepare-run.js';
import type { RunSummary } from './run-summary.js';
import { type AttemptOptions, trainIn } from './train-in.js';

/** The result of a run; undefined if another process is working on it. */
export type ExecuteResult = { readonly summary: RunSummary; readonly wasFinished: boolean } | undefined;

/**
 * Runs a config in its own folder: `config.yaml` (resolved), `identity.json` (everything that the result depends on),
 * `environment.json`, `metrics.jsonl` (every event), `checkpoints/` while it runs, and at the end `weights.safetensors` (of
 * the backbone) and `summary.json`. A finished run is not repeated; an interrupted one is resumed.
 *
 * @throws LocalgradError `invalid-option` if the folder contains a different run (the message lists the differences) or files
 * that are not localgrad's, or is inside the images
 * @throws RunStopped if the `stopRule` ends it early, RunPaused if the rule cannot decide yet
 */
export async function executeRun(given: ExecuteOptions): Promise<ExecuteResult> {
  checkExecuteOptions(given);
  const { resume, names = {} } = given;
  const config = withDecidedCuts(given.config);
  const owned = await inspectRunFolder(given.folder);
  const options = { ...given, config, folder: owned.path };
  const { folder } = options;
  await checkOutput(config, { folder: given.folder, option: '--output', project: names.project });
  const data = options.data ?? (await loadData(config, names));
  const identity = await identifyRun(config, data, names);
  const check = { ...options, shownFolder: given.folder, identity };
  const runId = await checkFolder(check);
  const { summary: finished } = resume === 'auto' ? await lookForSummary(folder) : {};
  if (finished !== undefined) {
    await checkFinalWeights(folder, finished, options.onProblem);
    await endLostAttempt(options, keepsCheckpoints(options.keep));
    reportUnwritten(folder, options);
    return { summary: finished, wasFinished: true };
  }

  const { relaxedSimd, tf32 } = config;
  const threads = mainThreadsOf(config);
  const backend =
    options.backend ??
    (await inTermsOfKeys(config, () => selectBackend(config.backend, { threads, relaxedSimd, tf32 })));
  try {
    checkWorkerBackend(config, backend.name);
    const run = await prepareRun(config, data, { ...names, machines: options.machines, signal: options.signal });
    for (const notice of run.notices) options.onProblem?.(notice);
    try {
      // Before anything is written, so that a run that cannot start leaves no folder behind.
      checkMemory(run.compiled, config.batch, backend.availableBytes(), predictionOf(run));
      await owned.create(everyRunFiles);
      const claim = await Claim.acquire(folder);
      if (claim === undefined) return undefined;
      return await attempt(claim, { ...check, identity: { ...identity, runId }, run, backend, owned });
    } finally {
      run.dispose();
    }
  } finally {
    if (options.backend === undefined) backend.dispose();
  }
}

async function attempt(claim: Claim, options: AttemptOptions): Promise<ExecuteResult> {
  const { folder, resume, keep, signal } = options;
  let isOurs = false;
  try {
    // Loading images and a backend took seconds: another process may have started a different run here, or finished this one.
    await checkFolder({ ...options, onProblem: undefined });
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
      // Another process has taken over the run, so the end of this attempt is not a failure of the run.
      await claim.release('stopped', messageOf(error));
      return undefined;
    }
    // The folder belongs to a different run, which must not be charged with this failure.
    const { countsAgainstRun = (cause) => faultOf(cause) !== 'machine' } = options;
    const isAborted = isRuleEnd(error) || (signal?.aborted === true && error === signal.reason);
    const isStop = !isOurs || isAborted || !countsAgainstRun(error);
    await claim.release(isStop ? 'stopped' : 'failed', locatedMessageOf(error));
    throw error;
  }
}
