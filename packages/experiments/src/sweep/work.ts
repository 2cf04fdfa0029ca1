import { setTimeout as delay } from 'node:timers/promises';
import { absolutePath, type RunState, readRunState } from '@localgrad/runs';
import { runFolderOf, type Sweep, type SweepTask } from './sweep-folder.js';

/**
 * How a worker's attempt at a run went.
 *
 * - `busy`: another process has it
 * - `returned`: the machine is to blame; the run was given back, and no failure counts against it
 */
export type TaskOutcome = 'finished' | 'failed' | 'busy' | 'returned';

export interface WorkOptions {
  readonly sweep: Sweep;
  /** Only these, by index in `tasks.jsonl`. Default: all. */
  readonly tasks?: readonly number[];
  /** Runs one; claims it, resumes it, and notes failures in its folder. Resolves also for runs that failed. */
  readonly execute: (task: SweepTask, folder: string) => Promise<TaskOutcome>;
  /** Stay while others are at work, to take up what they may lose. Default true. */
  readonly wait?: boolean;
  /** Longest time between two looks at what others do; the first ones follow each other faster. Default 5. */
  readonly pollSeconds?: number;
  readonly signal?: AbortSignal;
}

/** Short, for most runs of others end soon after the last of one's own; it grows, for a shared folder may be slow. */
const firstPollSeconds = 0.1;

/**
 * Works on a sweep until nothing is left: the loop of every worker, whoever started it. Any number of processes on any
 * number of machines may do so at the same time, in a folder that they share. Runs that have killed their processes come
 * after all others, so that one of them does not keep every new worker from the rest.
 *
 * @returns how many runs this worker finished
 */
export async function workOn(options: WorkOptions): Promise<number> {
  const { execute, wait = true, pollSeconds = 5, signal } = options;
  const work = new Work(options);
  let finished = 0;
  let looks = 0;
  for (;;) {
    const candidates = await work.look();
    let isAnyDone = false;
    for (const task of candidates) {
      signal?.throwIfAborted();
      // What was before it took a while: others may have been here.
      if (!(await work.isOpen(task))) continue;
      const outcome = await execute(task, work.folderOf(task));
      work.note(task, outcome);
      isAnyDone ||= outcome !== 'busy';
      if (outcome === 'finished') finished++;
    }
    if (work.isDone) return finished;
    // What failed may be tried again at once; what others hold is waited for.
    if (isAnyDone) {
      looks = 0;
      continue;
    }
    if (!work.isAnyRunning || !wait) return finished;
    const seconds = Math.min(pollSeconds, firstPollSeconds * 1.5 ** looks++);
    await delay(1000 * seconds, undefined, signal === undefined ? {} : { signal }).catch((error: unknown) => {
      throw signal?.aborted === true ? signal.reason : error;
    });
  }
}

/** What a worker knows of the runs that it wants. */
class Work {
  readonly #sweep: Sweep;
  /** Absolute: the working folder may be removed meanwhile. */
  readonly #folder: string;
  readonly #wanted: readonly SweepTask[];
  /** Finished, or failed for good. */
  readonly #ended = new Set<string>();
  readonly #failures = new Map<string, number>();
  /** Others were at work when it was last looked. */
  isAnyRunning = false;

  constructor({ sweep, tasks }: WorkOptions) {
    this.#sweep = sweep;
    this.#folder = absolutePath(sweep.folder);
    this.#wanted = tasks === undefined ? sweep.tasks : sweep.tasks.filter(({ index }) => tasks.includes(index));
  }

  folderOf(task: SweepTask): string {
    return runFolderOf({ folder: this.#folder }, task);
  }

  get isDone(): boolean {
    return this.#wanted.every(({ runId }) => this.#ended.has(runId));
  }

  /** Runs that can be taken up, in the order in which they should be. */
  async look(): Promise<SweepTask[]> {
    this.isAnyRunning = false;
    const open: { readonly task: SweepTask; readonly losses: number }[] = [];
    for (const task of this.#wanted) {
      const state = await this.#stateOf(task);
      if (state !== undefined) open.push({ task, losses: state.losses });
    }
    return open.sort((a, b) => a.losses - b.losses).map(({ task }) => task);
  }

  async isOpen(task: SweepTask): Promise<boolean> {
    return (await this.#stateOf(task)) !== undefined;
  }

  note({ runId }: SweepTask, outcome: TaskOutcome): void {
    if (outcome === 'busy') this.isAnyRunning = true;
    else if (outcome === 'finished') this.#ended.add(runId);
    else {
      // Also counted here: a failure may have come before anything could be noted, e.g. on a full disk.
      const count = (this.#failures.get(runId) ?? 0) + 1;
      this.#failures.set(runId, count);
      if (count > this.#sweep.retries) this.#ended.add(runId);
    }
  }

  /** Undefined where nothing can be done for it now. */
  async #stateOf(task: SweepTask): Promise<RunState | undefined> {
    if (this.#ended.has(task.runId)) return undefined;
    const state = await readRunState(this.folderOf(task), { retries: this.#sweep.retries });
    if (state.status === 'finished' || state.status === 'failed') this.#ended.add(task.runId);
    else if (state.status === 'running') this.isAnyRunning = true;
    else return state;
    return undefined;
  }
}
