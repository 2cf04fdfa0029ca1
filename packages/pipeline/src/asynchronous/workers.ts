import { at } from '@localgrad/core';
import type { StoredTensor } from '@localgrad/nn/serialization';
import type { PipelineStep } from '@localgrad/train';
import { patientRingSender, type Sender } from '../channel.js';
import { encodeMessage, type StepMessage } from '../message.js';
import { ReportQueue } from '../report-queue.js';
import { SharedRing } from '../ring.js';
import { WorkerThread } from '../thread.js';
import type { ThreadStart } from '../worker-thread.js';
import type { SharedControl } from './control.js';
import type { WorkerTurn } from './turn.js';

/** The workers of asynchronous training, as the main program sees them. */
export class AsynchronousWorkers {
  readonly #workers: readonly WorkerThread[];
  readonly #control: SharedControl;
  /** To the first worker. */
  readonly #data: Sender;
  readonly #ready: readonly ReportQueue<'ready'>[];
  readonly #tensors: readonly ReportQueue<ReadonlyMap<string, StoredTensor>>[];
  /** Turns of the first worker. */
  readonly #steps = new ReportQueue<WorkerTurn>();
  /** Turns of the others since the last step. */
  #others: WorkerTurn[] = [];
  #failure: Error | undefined;
  /** Rejects when a worker fails. */
  readonly #failed: Promise<never>;
  #reject: (error: Error) => void = () => {};

  /** @param onTurn called with each turn, in the order in which the reports arrive */
  constructor(
    program: URL,
    starts: readonly ThreadStart[],
    control: SharedControl,
    onTurn: (turn: WorkerTurn) => void,
  ) {
    this.#control = control;
    this.#failed = new Promise((_, reject) => {
      this.#reject = reject;
    });
    // Senders wait for it; without them, the error arrives with the reports.
    this.#failed.catch(() => {});
    this.#ready = starts.map(() => new ReportQueue());
    this.#tensors = starts.map(() => new ReportQueue());
    this.#data = patientRingSender(new SharedRing(at(starts, 0, 'worker').ends.input));
    this.#workers = starts.map(
      (start, index) =>
        new WorkerThread(program, start, {
          onReport: (report) => {
            if (report.kind === 'ready') this.#ready[index]?.add('ready');
            if (report.kind === 'tensors') this.#tensors[index]?.add(report.tensors);
            if (report.kind !== 'turn') return;
            onTurn(report.turn);
            if (index === 0) this.#steps.add(report.turn);
            else this.#others.push(report.turn);
          },
          onFailure: (error) => this.#fail(error),
        }),
    );
  }

  /** Waits until all workers have built their plan: otherwise the first would train alone. */
  async ready(): Promise<void> {
    await Promise.all(this.#ready.map((queue) => queue.take()));
  }

  /** Sends a batch to the first worker, and lets all train. @throws the error of a worker that has failed */
  async send(message: StepMessage): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#control.current.kind !== 'run') this.#control.command('run');
    await Promise.race([this.#data.send(encodeMessage({ kind: 'step', ...message })), this.#failed]);
  }

  /** The next step of the first worker, with the last turn of each other one since the step before. */
  async nextStep(): Promise<PipelineStep> {
    const step = await this.#steps.take();
    const turns = [step, ...this.#others.splice(0)];
    return {
      losses: new Map(turns.flatMap(({ losses }) => losses)),
      terms: new Map(turns.flatMap(({ terms }) => terms)),
      multiplyAccumulatesPerImage: turns.reduce((sum, turn) => sum + turn.multiplyAccumulatesPerImage, 0),
      peakBytes: Math.max(...turns.map(({ peakBytes }) => peakBytes)),
    };
  }

  /** Brings all workers to rest between two turns, and returns their tensors. */
  async tensors(): Promise<ReadonlyMap<string, StoredTensor>> {
    if (this.#failure !== undefined) throw this.#failure;
    this.#control.command('rest');
    await Promise.race([this.#data.send(encodeMessage({ kind: 'gather' })), this.#failed]);
    const parts = await Promise.all(this.#tensors.map((queue) => queue.take()));
    return new Map(parts.flatMap((part) => [...part]));
  }

  /** Ends the workers after the turns that they have begun. */
  async stop(): Promise<void> {
    if (this.#failure === undefined) {
      this.#control.command('end');
      await Promise.race([this.#data.send(encodeMessage({ kind: 'end' })), this.#failed]).catch(() => {});
    }
    await Promise.all(this.#workers.map(({ exit }) => exit));
  }

  /** The first failure of a worker ends all others. */
  #fail(error: Error): void {
    if (this.#failure !== undefined) return;
    this.#failure = error;
    this.#reject(error);
    for (const queue of [...this.#ready, ...this.#tensors, this.#steps]) queue.fail(error);
    for (const worker of this.#workers) worker.abandon();
  }
}
