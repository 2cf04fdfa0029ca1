import { SHARE_ENV, Worker } from 'node:worker_threads';
import { type ErrorCode, LocalgradError, messageOf } from '@localgrad/core';
import type { Report } from './part-worker.js';
import { modulesText, type PlacedGroup } from './placement.js';
import type { ThreadReport, ThreadStart } from './worker-thread.js';

export const errorCodes: readonly ErrorCode[] = [
  'invalid-option',
  'unknown-name',
  'shape-mismatch',
  'invalid-plan',
  'invalid-data',
  'missing-dependency',
  'backend-unavailable',
  'out-of-memory',
  'non-finite-loss',
  'misuse',
];

/** The code of an error in another thread. */
export function knownCode(code: string | undefined): ErrorCode | undefined {
  return errorCodes.find((one) => one === code);
}

/**
 * Starts a thread with the program of the workers. It shares the environment of the process, from which native libraries read
 * their number of threads.
 */
export function startThread(program: URL, workerData: object, name: string): Worker {
  return new Worker(program, { workerData, name, env: SHARE_ENV });
}

/** What happens in a worker, as the main program hears of it. */
export interface WorkerEvents {
  /** Called with each report, in the order of the messages. */
  onReport(report: Report): void;
  /** Called once if the worker ends before its last message: with a LocalgradError unless its plan or optimizer threw another. */
  onFailure(error: Error): void;
}

/** A worker, as the main program sees it. */
export interface RunningWorker {
  /** Resolves when the worker has ended. */
  readonly exit: Promise<void>;
  /** Ends the worker without waiting for its last message. */
  abandon(): void;
}

/** A worker in a thread of this process. */
export class WorkerThread implements RunningWorker {
  readonly #thread: Worker;
  readonly #group: PlacedGroup;
  readonly #events: WorkerEvents;
  readonly exit: Promise<void>;
  #hasFailed = false;
  /** Whether the worker has ended as it should. */
  isDone = false;

  constructor(program: URL, start: ThreadStart, events: WorkerEvents) {
    this.#group = start;
    this.#events = events;
    this.#thread = startThread(program, { kind: 'localgrad pipeline', start }, start.worker);
    this.#thread.on('message', (report: ThreadReport) => {
      if (report.kind === 'failure') this.#fail(report.message, report);
      else if (report.kind === 'done') this.isDone = true;
      else events.onReport(report);
    });
    this.#thread.on('error', (error) => this.#fail(messageOf(error)));
    this.exit = new Promise((resolve) => {
      this.#thread.on('exit', (code) => {
        if (!this.isDone) this.#fail(`its thread ended with exit code ${code}`);
        resolve();
      });
    });
  }

  abandon(): void {
    this.#hasFailed = true;
    void this.#thread.terminate();
  }

  get #name(): string {
    return `Worker '${this.#group.worker}' (${modulesText(this.#group.range)})`;
  }

  #fail(problem: string, report: Partial<Extract<ThreadReport, { readonly kind: 'failure' }>> = {}): void {
    if (this.#hasFailed) return;
    this.#hasFailed = true;
    const { worker, range } = this.#group;
    const { code, frames } = report;
    const known = knownCode(code);
    const text = known === undefined ? `${this.#name} has ended: ${problem}` : `${this.#name}: ${problem}`;
    if (known === undefined && frames !== undefined) this.#events.onFailure(errorWithFrames(text, frames));
    else {
      const details = { worker, range: [...range] };
      this.#events.onFailure(new LocalgradError(known ?? 'backend-lost', `${text.replace(/\.?$/, '')}.`, details));
    }
  }
}

/** The error of a plan or an optimizer, as sequential training throws it; other machines receive its message only. */
function errorWithFrames(text: string, frames: string): Error {
  const [first = ''] = frames.trim().split('\n');
  const message = `${text} (${first})`;
  return Object.assign(new Error(message), { stack: `Error: ${message}\n${frames}` });
}
