import { setTimeout as delay } from 'node:timers/promises';
import { readRunState } from '../runs/run-state.js';
import { runFolderOf, type Sweep, type SweepTask } from './sweep-folder.js';

/** How a worker's attempt at a run went. `busy`: another process has it. */
export type TaskOutcome = 'finished' | 'failed' | 'busy';

export interface WorkOptions {
  readonly sweep: Sweep;
  /** Only these, by index in `tasks.jsonl`. Default: all. */
  readonly tasks?: readonly number[];
  /** Runs one; claims it, resumes it, and notes failures in its folder. Resolves also for runs that failed. */
  readonly execute: (task: SweepTask, folder: string) => Promise<TaskOutcome>;
  /** Stay while others are at work, to take up what they may lose. Default: unless `tasks` is given. */
  readonly wait?: boolean;
  /** Longest time between two looks at what others do; the first ones follow each other faster. Default 5. */
  readonly pollSeconds?: number;
  readonly signal?: AbortSignal;
}

/** Short, for most runs of others end soon after the last of one's own; it grows, for a shared folder may be slow. */
const firstPollSeconds = 0.1;

/**
 * Works on a sweep until nothing is left: the loop of every worker, whoever started it. Any number of processes on any
 * number of machines may do so at the same time, in a folder that they share.
 *
 * @returns how many runs this worker finished
 */
export async function workOn(options: WorkOptions): Promise<number> {
  const { sweep, tasks, execute, wait = tasks === undefined, pollSeconds = 5, signal } = options;
  const wanted = tasks === undefined ? sweep.tasks : sweep.tasks.filter(({ index }) => tasks.includes(index));
  const ended = new Set<string>();
  const failures = new Map<string, number>();
  let finished = 0;
  let looks = 0;
  for (;;) {
    let isAnyRunning = false;
    let isAnyDone = false;
    for (const task of wanted) {
      signal?.throwIfAborted();
      if (ended.has(task.runId)) continue;
      const folder = runFolderOf(sweep, task);
      const { status } = await readRunState(folder, { retries: sweep.retries });
      if (status === 'finished' || status === 'failed') {
        ended.add(task.runId);
        continue;
      }
      if (status === 'running') {
        isAnyRunning = true;
        continue;
      }
      const outcome = await execute(task, folder);
      if (outcome === 'busy') {
        isAnyRunning = true;
        continue;
      }
      isAnyDone = true;
      if (outcome === 'finished') {
        finished++;
        ended.add(task.runId);
      } else {
        // Also counted here: a failure may have come before anything could be noted, e.g. on a full disk.
        const count = (failures.get(task.runId) ?? 0) + 1;
        failures.set(task.runId, count);
        if (count > sweep.retries) ended.add(task.runId);
      }
    }
    if (ended.size === new Set(wanted.map(({ runId }) => runId)).size) return finished;
    // What failed may be tried again at once; what others hold is waited for.
    if (isAnyDone) {
      looks = 0;
      continue;
    }
    if (!isAnyRunning || !wait) return finished;
    const seconds = Math.min(pollSeconds, firstPollSeconds * 1.5 ** looks++);
    await delay(1000 * seconds, undefined, signal === undefined ? {} : { signal }).catch((error: unknown) => {
      throw signal?.aborted === true ? signal.reason : error;
    });
  }
}
