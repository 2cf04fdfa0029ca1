import { randomUUID } from 'node:crypto';
import { messageOf } from '@localgrad/core';
import type { Batch, KeyValue, Metric, MlflowClient, MlflowStatus } from './client.js';
import { MlflowFailure } from './failure.js';
import { batchLimits, inBatches } from './limits.js';
import type { Retrier } from './retrier.js';

export interface DeliveredRun {
  readonly experiment: string;
  readonly name: string | undefined;
  /** ID of the run to resume. */
  readonly runId: string | undefined;
  readonly params: readonly KeyValue[];
  readonly tags: readonly KeyValue[];
  /** Called with the run ID that the server assigned. */
  readonly onRun: (runId: string) => void;
  readonly onProblem: (message: string) => void;
}

interface End {
  readonly status: MlflowStatus;
  readonly time: number;
}

/** Maximum number of metrics to queue while the server is down, some tens of megabytes; then the oldest are dropped. */
const longestQueue = 100_000;
const creationTag = 'localgrad.creation';

/** Longest time to wait at the end for a server that was down when training ended, in milliseconds. */
const downMilliseconds = 1000;

/** Sends metrics in order, one request at a time, in the background. Its methods never throw. */
export class Delivery {
  readonly #run: DeliveredRun;
  readonly #client: MlflowClient;
  readonly #retrier: Retrier;
  #runId: string | undefined;
  #isDescribed = false;
  #startTime: number | undefined;
  #metrics: Metric[] = [];
  #sending: readonly Metric[] = [];
  #end: End | undefined;
  #dropped = 0;
  #working: Promise<void> | undefined;
  /** Whether sending has stopped for good. */
  #isOver = false;

  constructor(run: DeliveredRun, client: MlflowClient, retrier: Retrier) {
    this.#run = run;
    this.#client = client;
    this.#retrier = retrier;
  }

  start(time: number): void {
    this.#startTime ??= time;
    this.#work();
  }

  add(metrics: readonly Metric[]): void {
    this.#metrics.push(...metrics);
    const surplus = Math.max(0, this.#metrics.length - longestQueue);
    this.#metrics.splice(0, surplus);
    this.#dropped += surplus;
    this.#work();
  }

  end(end: End): void {
    this.#end = end;
    this.#work();
  }

  /** Waits until everything is sent, at most `milliseconds`, and reports unsent data. */
  async close(milliseconds: number): Promise<void> {
    const isDown = this.#retrier.lastFailure?.isUnreachable === true;
    this.#retrier.end();
    const limit = isDown ? Math.min(downMilliseconds, milliseconds) : milliseconds;
    const timer = setTimeout(() => this.#retrier.stop(), limit);
    while (this.#working !== undefined) await this.#working;
    clearTimeout(timer);
    this.#isOver = true;
    const unsent = this.#unsent();
    if (unsent.length === 0) return;
    const reason = this.#retrier.lastFailure;
    this.#run.onProblem(
      `Not sent to MLflow: ${unsent.join(', ')}${reason === undefined ? '' : ` (${reason.message})`}.`,
    );
  }

  #unsent(): string[] {
    const metrics = this.#metrics.length + this.#sending.length + this.#dropped;
    return [
      ...(this.#startTime === undefined || this.#runId !== undefined ? [] : ['the run itself']),
      ...(this.#startTime === undefined || this.#isDescribed ? [] : ['its parameters and tags']),
      ...(metrics > 0 ? [`${metrics} values of metrics`] : []),
      ...(this.#end === undefined ? [] : [`the run's end (${this.#end.status})`]),
    ];
  }

  #work(): void {
    if (this.#isOver || this.#working !== undefined) return;
    this.#working = this.#deliver()
      .catch((error: unknown) => {
        // Abandoned while closing, which reports unsent data; or no further request can succeed.
        this.#isOver = true;
        const isGivenUp = this.#retrier.isStopped || (error instanceof MlflowFailure && error.isTransient);
        if (!isGivenUp) this.#run.onProblem(`MLflow receives no further data of this run: ${messageOf(error)}.`);
      })
      .finally(() => {
        this.#working = undefined;
        if (this.#metrics.length > 0) this.#work();
      });
  }

  async #deliver(): Promise<void> {
    const runId = this.#isDescribed && this.#runId !== undefined ? this.#runId : await this.#begin();
    while (this.#metrics.length > 0) {
      this.#sending = inBatches(this.#metrics.slice(0, batchLimits.metrics), batchLimits.metrics)[0] ?? [];
      this.#metrics.splice(0, this.#sending.length);
      await this.#send(runId, { metrics: this.#sending });
      this.#sending = [];
    }
    if (this.#end === undefined) return;
    const { status, time } = this.#end;
    await this.#retrier.run((signal) => this.#client.updateRun(runId, status, time, signal));
    this.#end = undefined;
  }

  async #begin(): Promise<string> {
    this.#runId ??= await this.#open();
    for (const params of inBatches(this.#run.params, batchLimits.params)) await this.#send(this.#runId, { params });
    for (const tags of inBatches(this.#run.tags, batchLimits.tags)) await this.#send(this.#runId, { tags });
    this.#isDescribed = true;
    return this.#runId;
  }

  async #open(): Promise<string> {
    const { experiment, name, onRun } = this.#run;
    const known = this.#run.runId;
    if (known !== undefined) {
      await this.#retrier.run((signal) => this.#client.updateRun(known, 'RUNNING', undefined, signal));
      return known;
    }
    const experimentId = await this.#retrier.run((signal) => this.#client.experiment(experiment, signal));
    const creation = { key: creationTag, value: randomUUID() };
    const run = { experimentId, name, startTime: this.#startTime ?? Date.now(), tags: [creation] };
    const runId = await this.#retrier.run(async (signal, repetition) => {
      // The connection may have been lost after the run was created.
      const made = repetition > 0 ? await this.#client.findRun(experimentId, creation, signal) : undefined;
      return made ?? this.#client.createRun(run, signal);
    });
    onRun(runId);
    return runId;
  }

  /** Drops a batch that the server rejects and continues with the next one. */
  async #send(runId: string, batch: Batch): Promise<void> {
    try {
      await this.#retrier.run((signal) => this.#client.logBatch(runId, batch, signal));
    } catch (error) {
      if (!(error instanceof MlflowFailure) || error.isTransient || error.isFinal) throw error;
      const kinds = Object.entries(batch).map(([kind, items]) => `${items.length} ${kind}`);
      this.#run.onProblem(`MLflow rejects ${kinds.join(', ')}: ${error.message}.`);
    }
  }
}
