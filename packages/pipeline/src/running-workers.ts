import { at, get, LocalgradError } from '@localgrad/core';
import type { StoredTensor } from '@localgrad/nn/serialization';
import type { PipelineStep } from '@localgrad/train';
import { patientRingSender, type Sender } from './channel.js';
import type { MachineGroup } from './machines/group.js';
import { encodeMessage, type Message } from './message.js';
import type { Report } from './part-worker.js';
import { ReportQueue } from './report-queue.js';
import { SharedRing } from './ring.js';
import { type RunningWorker, type WorkerEvents, WorkerThread } from './thread.js';
import { connectStart, type WeightChannel, type WorkerStart, wirePipeline } from './wiring.js';

/** The workers of a running pipeline: messages go to the first one, and reports come from all. */
export class RunningWorkers {
  readonly #workers: readonly RunningWorker[];
  readonly #reports: readonly ReportQueue<Report>[];
  readonly #first: Sender;
  #failure: Error | undefined;
  /** Rejects when a worker fails. */
  readonly #failed: Promise<never>;
  #reject: (error: Error) => void = () => {};

  /**
   * @param channels for weights that averages of other workers follow
   * @param machines those of all workers but the first one; absent: all workers are threads of this process
   */
  constructor(
    program: URL,
    starts: readonly WorkerStart[],
    channels: readonly WeightChannel[],
    machines?: MachineGroup,
  ) {
    this.#failed = new Promise((_, reject) => {
      this.#reject = reject;
    });
    // Senders wait for it; without them, the error arrives with the reports.
    this.#failed.catch(() => {});
    this.#reports = starts.map(() => new ReportQueue());
    const events = this.#reports.map(
      (reports): WorkerEvents => ({
        onReport: (report) => reports.add(report),
        onFailure: (error) => this.#fail(error),
      }),
    );
    const wiring = wirePipeline(starts, channels);
    const isLocal = (worker: number) => machines === undefined || worker === 0;
    const memories = new Map(
      wiring.wires.flatMap(({ from, to, bytes }, index) =>
        isLocal(from) || isLocal(to) ? [[index, SharedRing.withCapacity(bytes).memory] as const] : [],
      ),
    );
    const memoryOf = (index: number) => get(memories, index, 'wire');
    this.#first = patientRingSender(new SharedRing(memoryOf(0)));
    const threads = wiring.starts
      .slice(0, machines === undefined ? starts.length : 1)
      .map((start, index) => new WorkerThread(program, connectStart(start, memoryOf), at(events, index, 'worker')));
    const remote = machines?.start(wiring, memories, events.slice(1)) ?? [];
    this.#workers = [...threads, ...remote];
  }

  /** Sends a message to all workers. @throws the error of a worker that has failed */
  async send(message: Message): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    await Promise.race([this.#first.send(encodeMessage(message)), this.#failed]);
  }

  /** The combined report of the next step. */
  async nextStep(): Promise<PipelineStep> {
    const steps = (await this.#nextReports()).map((report) => {
      if (report.kind === 'step') return report.step;
      throw new LocalgradError('misuse', `A worker reported '${report.kind}' where a step was expected.`);
    });
    return {
      losses: new Map(steps.flatMap(({ losses }) => losses)),
      terms: new Map(steps.flatMap(({ terms }) => terms)),
      peakBytes: Math.max(...steps.map(({ peakBytes }) => peakBytes)),
      workers: steps.map(({ seconds, waitSeconds, peakBytes }) => ({ seconds, waitSeconds, peakBytes })),
    };
  }

  /** The tensors of all workers, after a message that requests them. */
  async nextTensors(): Promise<ReadonlyMap<string, StoredTensor>> {
    const parts = (await this.#nextReports()).map((report) => {
      if (report.kind === 'tensors') return report.tensors;
      throw new LocalgradError('misuse', `A worker reported '${report.kind}' where tensors were expected.`);
    });
    return new Map(parts.flatMap((part) => [...part]));
  }

  /** Lets the workers finish the steps that they have received, and ends them. */
  async stop(): Promise<void> {
    if (this.#failure === undefined) await this.send({ kind: 'end' }).catch(() => {});
    await Promise.all(this.#workers.map(({ exit }) => exit));
  }

  #nextReports(): Promise<Report[]> {
    return Promise.all(this.#reports.map((reports) => reports.take()));
  }

  /** The first failure of a worker ends all others, which would wait for it forever. */
  #fail(error: Error): void {
    if (this.#failure !== undefined) return;
    this.#failure = error;
    this.#reject(error);
    for (const reports of this.#reports) reports.fail(error);
    for (const worker of this.#workers) worker.abandon();
  }
}
