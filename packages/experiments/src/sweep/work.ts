import { setTimeout as delay } from 'node:timers/promises';
import { absolutePath, type RunState, readRunState } from '@localgrad/runs';
import { isEnded, limitsOf } from './run-limits.js';
import { runFolderOf, type Sweep, type SweepTask } from './sweep-folder.js';
import { Tuning } from './tuning.js';

/**
 * Outcome of a worker's attempt at a run.
 *
 * - `stopped`: ended early by the sweep's rule
 * - `paused`: it waits for earlier runs, so that the rule can decide
 * - `busy`: another process is working on it, or has just finished it
 * - `returned`: the machine failed; the run was released, and no failure counts against it
 */
export type TaskOutcome = 'finished' | 'stopped' | 'paused' | 'failed' | 'busy' | 'returned';

export interface WorkOptions {
  readonly sweep: Sweep;
  /** Only these runs, by index in `tasks.jsonl`. Default: all. */
  readonly tasks?: readonly number[];
  /** Claims and executes one run, and records failures in its folder. Also resolves for runs that fail. */
  readonly execute: (task: SweepTask, folder: string) => Promise<TaskOutcome>;
  /** Whether a run cannot be continued before earlier runs have got further. Default: none waits. */
  readonly isBlocked?: (task: SweepTask) => Promise<boolean>;
  /** Seconds without a running run after which blocked runs are left. Default 60: a worker may be about to start one. */
  readonly patienceSeconds?: number;
  /** Wait while other workers are running, to take over runs that they lose. Default true. */
  readonly wait?: boolean;
  /** Maximum seconds between two checks of other workers' runs; the first checks are more frequent. Default 5. */
  readonly pollSeconds?: number;
  readonly signal?: AbortSignal;
}

/** Short, because other workers usually finish soon after; it grows, because a shared folder may be slow. */
const firstPollSeconds = 0.1;

/**
 * The loop of every worker: works on a sweep until nothing is left. Any number of processes on any number of machines may do
 * so at the same time, in a shared folder. Runs that have killed their processes come last, so that one of them does not
 * keep every new worker from the others.
 *
 * @returns number of runs that this worker finished
 */
export async function workOn(options: WorkOptions): Promise<number> {
  const { execute, wait = true, pollSeconds = 5, patienceSeconds = 60, signal } = options;
  const work = new Work(options);
  let finished = 0;
  let looks = 0;
  let lastRunning = performance.now();
  for (;;) {
    const candidates = await work.look();
    let isAnyDone = false;
    for (const task of candidates) {
      signal?.throwIfAborted();
      // The runs before it took a while: another worker may have claimed it.
      if (!(await work.isOpen(task))) continue;
      const outcome = await execute(task, work.folderOf(task));
      work.note(task, outcome);
      isAnyDone ||= outcome !== 'busy';
      if (outcome === 'finished') finished++;
      // A run that waits comes before those below it as soon as it can continue.
      if (outcome === 'paused' || (outcome !== 'busy' && work.isAnyBlocked)) break;
    }
    if (work.isDone) return finished;
    // Failed runs may be retried at once; the runs of other workers are waited for.
    if (isAnyDone) {
      looks = 0;
      lastRunning = performance.now();
      continue;
    }
    if (work.isAnyRunning) lastRunning = performance.now();
    const isHopeless = !work.isAnyBlocked || performance.now() - lastRunning > 1000 * patienceSeconds;
    if (!wait || (!work.isAnyRunning && isHopeless)) return finished;
    const seconds = Math.min(pollSeconds, firstPollSeconds * 1.5 ** looks++);
    await delay(1000 * seconds, undefined, signal === undefined ? {} : { signal }).catch((error: unknown) => {
      throw signal?.aborted === true ? signal.reason : error;
    });
  }
}

/** A worker's view of the runs of a sweep. */
class Work {
  readonly #sweep: Sweep;
  /** Absolute: the working folder may be removed meanwhile. */
  readonly #folder: string;
  readonly #wanted: readonly SweepTask[];
  /** Finished, or failed for good. */
  readonly #ended = new Set<string>();
  readonly #failures = new Map<string, number>();
  readonly #isBlocked: (task: SweepTask) => Promise<boolean>;
  readonly #tuning: Tuning;
  /** Whether other workers were running at the last check. */
  isAnyRunning = false;
  /** Whether a run waited for others at the last check. */
  isAnyBlocked = false;

  constructor({ sweep, tasks, isBlocked = async () => false }: WorkOptions) {
    this.#sweep = sweep;
    this.#isBlocked = isBlocked;
    this.#folder = absolutePath(sweep.folder);
    this.#tuning = new Tuning({ ...sweep, folder: this.#folder });
    this.#wanted = tasks === undefined ? sweep.tasks : sweep.tasks.filter(({ index }) => tasks.includes(index));
  }

  folderOf(task: SweepTask): string {
    return runFolderOf({ folder: this.#folder }, task);
  }

  get isDone(): boolean {
    return this.#wanted.every(({ runId }) => this.#ended.has(runId));
  }

  /** Runs that can be claimed, in the order to try them. */
  async look(): Promise<SweepTask[]> {
    this.isAnyRunning = false;
    this.isAnyBlocked = false;
    const open: { readonly task: SweepTask; readonly losses: number }[] = [];
    for (const task of this.#wanted) {
      const state = await this.#stateOf(task);
      if (state === undefined) continue;
      const need = await this.#tuning.needOf(task);
      if (need === 'skip') {
        this.#ended.add(task.runId);
        continue;
      }
      // Only a run that was started can be blocked by earlier ones.
      const isBlocked = need === 'wait' || (state.attempts.length > 0 && (await this.#isBlocked(task)));
      if (isBlocked) this.isAnyBlocked = true;
      else open.push({ task, losses: state.losses });
    }
    if (this.isAnyBlocked) await this.#lookAtOthers();
    return open.sort((a, b) => a.losses - b.losses).map(({ task }) => task);
  }

  async isOpen(task: SweepTask): Promise<boolean> {
    return (await this.#stateOf(task)) !== undefined;
  }

  note({ runId }: SweepTask, outcome: TaskOutcome): void {
    if (outcome === 'busy') this.isAnyRunning = true;
    else if (outcome === 'finished' || outcome === 'stopped') this.#ended.add(runId);
    else if (outcome !== 'paused') {
      // Also counted here: a failure may precede any record, e.g. on a full disk.
      const count = (this.#failures.get(runId) ?? 0) + 1;
      this.#failures.set(runId, count);
      if (count > this.#sweep.retries) this.#ended.add(runId);
    }
  }

  /** Blocked runs may wait for runs that are not this worker's. */
  async #lookAtOthers(): Promise<void> {
    for (const task of this.#sweep.tasks) {
      if (this.isAnyRunning) return;
      if (!this.#wanted.includes(task)) await this.#stateOf(task);
    }
  }

  /** Undefined if it cannot be worked on now. */
  async #stateOf(task: SweepTask): Promise<RunState | undefined> {
    if (this.#ended.has(task.runId)) return undefined;
    const state = await readRunState(this.folderOf(task), limitsOf(this.#sweep));
    if (isEnded(state.status)) this.#ended.add(task.runId);
    else if (state.status === 'running') this.isAnyRunning = true;
    else return state;
    return undefined;
  }
}
