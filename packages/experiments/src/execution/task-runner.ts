import { type BackendHandle, mostThreads, selectBackend } from '@localgrad/backends';
import { locatedMessageOf } from '@localgrad/core';
import {
  executeRun,
  listAttempts,
  noteFailure,
  type RunConfig,
  RunPaused,
  RunStopped,
  runConfigSchema,
} from '@localgrad/runs';
import { type Observer, resultsOf } from '@localgrad/train';
import type { Sweep, SweepTask } from '../sweep/sweep-folder.js';
import type { TaskOutcome } from '../sweep/work.js';
import { DataCache } from './data-cache.js';
import { MedianRule } from './median-rule.js';
import { brokenWorker, WorkerHealth } from './worker-health.js';

/** Message of a worker. */
export type WorkerMessage =
  | { readonly type: 'task-start'; readonly index: number; readonly name: string }
  | { readonly type: 'progress'; readonly index: number; readonly step: number; readonly steps: number }
  | {
      readonly type: 'task-end';
      readonly index: number;
      readonly name: string;
      readonly outcome: TaskOutcome;
      readonly seconds: number;
      readonly testAccuracy?: number | null;
      /** The metric by which the run chooses epochs, unless it is accuracy, and its value on test images. */
      readonly metric?: { readonly name: string; readonly test: number | null };
      readonly message?: string;
    }
  | { readonly type: 'problem'; readonly message: string };

type TaskEnd = Extract<WorkerMessage, { readonly type: 'task-end' }>;

export interface TaskRunnerOptions {
  readonly sweep: Sweep;
  /** For configs with `threads: auto`: processes on one machine share its cores. */
  readonly threads?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly report: (message: WorkerMessage) => void;
}

/** Runs tasks one after the other; keeps backend and images if the next task uses the same. */
export class TaskRunner {
  readonly #options: TaskRunnerOptions;
  #backend: { readonly key: string; readonly handle: BackendHandle } | undefined;
  /** One data set, since the next run usually uses the same. */
  readonly #data = new DataCache(1);
  readonly #health = new WorkerHealth();

  constructor(options: TaskRunnerOptions) {
    this.#options = options;
  }

  /**
   * Failures of the run are an outcome.
   *
   * @throws the signal's reason if it is aborted; LocalgradError if none of this worker's runs work
   */
  async run(task: SweepTask, folder: string): Promise<TaskOutcome> {
    const { sweep, signal, report } = this.#options;
    const { index, name } = task;
    const start = performance.now();
    const end = (
      outcome: TaskOutcome,
      more: Pick<TaskEnd, 'testAccuracy' | 'metric' | 'message'> = {},
    ): TaskOutcome => {
      report({ type: 'task-end', index, name, outcome, seconds: (performance.now() - start) / 1000, ...more });
      return outcome;
    };
    report({ type: 'task-start', index, name });
    let attempts = 0;
    let hasStepped = false;
    try {
      attempts = await countOf(folder);
      const config = runConfigSchema.parse(task.config);
      const rule = await MedianRule.of(sweep, task);
      const result = await executeRun({
        config,
        folder,
        resume: 'auto',
        keep: sweep.checkpoints,
        trackers: { mlflowExperiment: sweep.name, ...sweep.trackers },
        data: await this.#data.of(config),
        backend: await this.#backendOf(config),
        advice: `Remove '${folder}' to run it again, or use another folder for the sweep.`,
        observers: [
          progressObserver(index, report),
          {
            observe({ type }) {
              if (type === 'step-end') hasStepped = true;
            },
          },
        ],
        signal,
        stopRule: rule === undefined ? undefined : (epoch) => rule.judge(epoch),
        onProblem: (message) => report({ type: 'problem', message }),
        countsAgainstRun: (error) => this.#health.judge(error, hasStepped) === 'run',
      });
      this.#health.endStreak();
      if (hasStepped) await this.#prove();
      // Another worker finished it while this one loaded images or a backend, and reports it.
      if (result === undefined || result.wasFinished) return end('busy');
      const { testAccuracy, divergence, status, metric } = result.summary;
      // The accuracy of a diverged network has no meaning.
      return status === 'diverged'
        ? end('finished', { message: `diverged: ${divergence ?? 'the test loss is NaN'}` })
        : end('finished', {
            testAccuracy,
            ...(metric === undefined ? {} : { metric: { name: metric.name, test: resultsOf(result.summary).test } }),
          });
    } catch (error) {
      if (error instanceof RunStopped) return end('stopped', { message: error.message });
      if (error instanceof RunPaused) return end('paused', { message: error.message });
      if (signal?.aborted === true) throw error;
      const message = locatedMessageOf(error);
      const fault = this.#health.judge(error, hasStepped);
      // The backend may be broken, too.
      if (fault !== 'run') this.dispose();
      if (hasStepped) await this.#prove();
      if (fault === 'run') {
        if (hasStepped) this.#health.endStreak();
        // Backend, images or plan failed: the run did not start and recorded nothing.
        if ((await countOf(folder)) === attempts) await this.#note(folder, message);
        return end('failed', { message });
      }
      end('returned', { message });
      const blamed = this.#health.suspect({ runId: task.runId, folder, message, fault }, sweep.retries);
      for (const suspicion of blamed) await this.#note(suspicion.folder, suspicion.message);
      if (this.#health.isBroken) throw await brokenWorker(sweep, task, message);
      return blamed.length > 0 ? 'failed' : 'returned';
    }
  }

  dispose(): void {
    this.#backend?.handle.dispose();
    this.#backend = undefined;
  }

  /** After a completed step: the worker works, so earlier failures count against their runs. */
  async #prove(): Promise<void> {
    for (const { folder, message } of this.#health.prove()) await this.#note(folder, message);
  }

  async #note(folder: string, message: string): Promise<void> {
    try {
      await noteFailure(folder, message);
    } catch (problem) {
      // E.g. a full disk. The worker still counts it, and other runs may be stored elsewhere.
      const why = problem instanceof Error ? problem.message : String(problem);
      this.#options.report({ type: 'problem', message: `the failure could not be recorded: ${why}` });
    }
  }

  async #backendOf({ backend, threads, relaxedSimd, tf32 }: RunConfig): Promise<BackendHandle> {
    const { threads: shared } = this.#options;
    // A share of the machine's cores may be more than the backend can use.
    const own = threads === 'auto' && shared !== undefined ? Math.min(shared, await mostThreads(backend)) : threads;
    const key = `${backend} ${own} ${relaxedSimd} ${tf32}`;
    if (this.#backend?.key !== key) {
      this.dispose();
      this.#backend = { key, handle: await selectBackend(backend, { threads: own, relaxedSimd, tf32 }) };
    }
    return this.#backend.handle;
  }
}

async function countOf(folder: string): Promise<number> {
  return (await listAttempts(folder).catch(() => [])).length;
}

/** At most four messages a second. */
function progressObserver(index: number, report: (message: WorkerMessage) => void): Observer {
  let last = 0;
  return {
    observe(event) {
      if (event.type !== 'step-end' || performance.now() - last < 250) return;
      last = performance.now();
      report({ type: 'progress', index, step: event.step, steps: event.steps });
    },
  };
}
