import { Worker } from 'node:worker_threads';
import { type ErrorCode, LocalgradError, messageOf } from '@localgrad/core';
import type { PartStep, Report } from './part-worker.js';
import { modulesText, type PlacedGroup } from './placement.js';
import { ReportQueue } from './report-queue.js';
import type { ThreadReport, ThreadStart } from './worker-thread.js';

const codes: readonly ErrorCode[] = [
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

/** A worker thread, as the main program sees it. */
export class WorkerThread {
  readonly #thread: Worker;
  readonly #group: PlacedGroup;
  readonly #reports = new ReportQueue<Report>();
  readonly #onFailure: (error: LocalgradError) => void;
  /** Resolves when the thread has ended. */
  readonly exit: Promise<void>;
  #hasFailed = false;
  #isDone = false;

  /** @param onFailure called once if the thread ends before its last message */
  constructor(program: URL, start: ThreadStart, onFailure: (error: LocalgradError) => void) {
    this.#group = start;
    this.#onFailure = onFailure;
    this.#thread = new Worker(program, { workerData: { kind: 'localgrad pipeline', start }, name: start.worker });
    this.#thread.on('message', (report: ThreadReport) => {
      if (report.kind === 'failure') this.#fail(report.message, report.code);
      else if (report.kind === 'done') this.#isDone = true;
      else this.#reports.add(report);
    });
    this.#thread.on('error', (error) => this.#fail(messageOf(error)));
    this.exit = new Promise((resolve) => {
      this.#thread.on('exit', (code) => {
        if (!this.#isDone) this.#fail(`its thread ended with exit code ${code}`);
        resolve();
      });
    });
  }

  /** The report of the next step. */
  async nextStep(): Promise<PartStep> {
    const report = await this.#reports.take();
    if (report.kind === 'step') return report.step;
    throw new LocalgradError('misuse', `${this.#name} reported tensors where a step was expected.`);
  }

  /** The tensors of the next report. */
  async nextTensors(): Promise<Extract<Report, { kind: 'tensors' }>['tensors']> {
    const report = await this.#reports.take();
    if (report.kind === 'tensors') return report.tensors;
    throw new LocalgradError('misuse', `${this.#name} reported a step where tensors were expected.`);
  }

  /** Ends the thread and the wait for its reports, because another worker has failed. */
  abandon(error: LocalgradError): void {
    this.#hasFailed = true;
    this.#reports.fail(error);
    void this.#thread.terminate();
  }

  get #name(): string {
    return `Worker '${this.#group.worker}' (${modulesText(this.#group.range)})`;
  }

  #fail(problem: string, code?: string): void {
    if (this.#hasFailed) return;
    this.#hasFailed = true;
    const { worker, range } = this.#group;
    const known = codes.find((one) => one === code);
    const text = known === undefined ? `${this.#name} has ended: ${problem}` : `${this.#name}: ${problem}`;
    this.#onFailure(
      new LocalgradError(known ?? 'backend-lost', `${text.replace(/\.?$/, '')}.`, { worker, range: [...range] }),
    );
  }
}
