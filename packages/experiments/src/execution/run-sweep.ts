import { availableParallelism } from 'node:os';
import { rejectUnknownKeys, requireOption } from '@localgrad/core';
import { endLostAttempt, keepsCheckpoints } from '@localgrad/runs';
import { isEnded } from '../sweep/run-limits.js';
import { readSweep, runFolderOf, type Sweep, sweepHash } from '../sweep/sweep-folder.js';
import { readSweepStatus, type SweepStatus, type TaskState } from '../sweep/sweep-status.js';
import { workOn } from '../sweep/work.js';
import { chosenTasks } from './chosen-conditions.js';
import { runLocally } from './local-executor.js';
import { blockedIn } from './median-rule.js';
import { checkedSweep, type RunnableSweep, retryFailed, runnableNames } from './prepare-sweep.js';
import { type SweepResult, summarizeSweep } from './sweep-result.js';
import { TaskRunner, type WorkerMessage } from './task-runner.js';

/** More would exhaust the memory or the process ids of any machine. */
const mostProcesses = 1024;

/** An event of a sweep, with the worker (from 0) that reports it. */
export type SweepEvent = WorkerMessage & { readonly worker: number };

export interface SweepExecution {
  /** `local` (default): processes of this machine. `debug`: one run after the other, in this process. */
  readonly executor?: 'local' | 'debug' | undefined;
  /** `local`: processes at a time. Default: one for each processor core. */
  readonly processes?: number | undefined;
  /** Threads of runs whose config says `auto`. Default for `local`: cores / processes. */
  readonly threads?: number | undefined;
  /** Run only conditions with these names; `*` and `?` stand for any text and any character. Default: all. */
  readonly only?: readonly string[] | undefined;
  /** Also retry runs that have used up their attempts. */
  readonly retryFailed?: boolean | undefined;
  /** Called before the first run, if any run is left. */
  readonly beforeFirst?: ((sweep: Sweep) => Promise<void>) | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onEvent?: ((event: SweepEvent) => void) | undefined;
}

const executionNames = [
  ...(['executor', 'processes', 'threads', 'only', 'retryFailed', 'beforeFirst', 'signal', 'onEvent'] as const),
] satisfies readonly (keyof SweepExecution)[];

/**
 * Runs the unfinished runs of a sweep. Processes that are killed are replaced; call it again to resume an interrupted sweep.
 *
 * @throws LocalgradError before the first run, if the experiment is invalid or a condition cannot run
 * @throws the signal's reason, after all workers have saved
 */
export async function runSweep(options: RunnableSweep & SweepExecution): Promise<SweepResult> {
  rejectUnknownKeys('runSweep', options, [...runnableNames, ...executionNames]);
  const { sweep, status: before } = await checkedSweep({ ...options, runsHere: true });
  const tasks = chosenTasks(sweep, options.only);
  if (options.retryFailed === true) await retryFailed(sweep, tasks);
  const isLeft = ({ task, status }: TaskState) => !isEnded(status) && tasks?.includes(task.index) !== false;
  if (before.tasks.some(isLeft)) await options.beforeFirst?.(sweep);
  if (options.executor === 'debug') await runHere(sweep, options, tasks);
  else await runInProcesses(sweep, options, tasks);
  const status = await readSweepStatus(sweep);
  await endLostAttempts(sweep, status, options);
  await reportReplacement(sweep, options);
  return summarizeSweep(sweep, status);
}

async function runHere(
  sweep: Sweep,
  { threads, signal, onEvent }: SweepExecution,
  tasks: readonly number[] | undefined,
): Promise<void> {
  const report = (message: WorkerMessage) => onEvent?.({ ...message, worker: 0 });
  const runner = new TaskRunner({ sweep, threads, signal, report });
  try {
    const stop = signal === undefined ? {} : { signal };
    const chosen = tasks === undefined ? {} : { tasks };
    await workOn({
      sweep,
      execute: (task, folder) => runner.run(task, folder),
      isBlocked: blockedIn(sweep),
      ...stop,
      ...chosen,
    });
  } finally {
    runner.dispose();
  }
}

async function runInProcesses(
  sweep: Sweep,
  { signal, onEvent, ...options }: SweepExecution,
  tasks: readonly number[] | undefined,
): Promise<void> {
  requireOption(
    options.processes === undefined || options.processes <= mostProcesses,
    'runSweep',
    'processes',
    options.processes,
    `1 to ${mostProcesses}`,
  );
  const cores = availableParallelism();
  const processes = options.processes ?? Math.max(1, Math.floor(cores / (options.threads ?? 1)));
  const threads = options.threads ?? Math.max(1, Math.floor(cores / processes));
  const onMessage = (worker: number, message: WorkerMessage) => onEvent?.({ ...message, worker });
  await runLocally({ sweep, processes, threads, tasks, signal, onMessage });
}

/** Two experiments of one name have one folder: the later one replaces the sweep of the earlier one. */
async function reportReplacement(sweep: Sweep, { onEvent }: SweepExecution): Promise<void> {
  const now = await readSweep(sweep.folder);
  if (sweepHash(now) === sweepHash(sweep)) return;
  const message = `Another command changed the sweep in '${sweep.folder}' in the meantime. If it runs another experiment of the name '${sweep.name}', rename one of them or choose another --folder; then run this command again.`;
  onEvent?.({ type: 'problem', message, worker: 0 });
}

/** Cleans up after workers that were killed right after the summary, since finished runs are not claimed again. */
async function endLostAttempts(sweep: Sweep, { tasks }: SweepStatus, { onEvent }: SweepExecution): Promise<void> {
  const onProblem = (message: string) => onEvent?.({ type: 'problem', message, worker: 0 });
  for (const { task, status, attempts } of tasks) {
    if (status !== 'finished' || attempts.at(-1)?.outcome === 'finished') continue;
    await endLostAttempt({ folder: runFolderOf(sweep, task), onProblem }, keepsCheckpoints(sweep.checkpoints));
  }
}
