import { at, LocalgradError } from '@localgrad/core';
import type { StoredTensor } from '@localgrad/nn/serialization';
import type { PipelineStep } from '@localgrad/train';
import { patientRingSender, type Sender } from './channel.js';
import type { WeightRoute } from './links.js';
import type { MachineGroup } from './machines/group.js';
import { encodeMessage, type Message } from './message.js';
import type { Report } from './part-worker.js';
import { ReportQueue } from './report-queue.js';
import { SharedRing } from './ring.js';
import { type RunningWorker, type WorkerEvents, WorkerThread } from './thread.js';
import type { LinkMemories, ThreadStart } from './worker-thread.js';

/** A worker before it is connected. */
export interface WorkerStart extends Omit<ThreadStart, 'input' | 'output' | 'links'> {
  /** Capacity of the connection to this worker. */
  readonly inputBytes: number;
  /** Capacity of the connection for gradients from the next worker; 0 if none cross. */
  readonly gradientBytes: number;
}

/** A route of weights, and the capacity of its connection. */
export interface WeightChannel extends WeightRoute {
  readonly bytes: number;
}

/** The workers of a running pipeline: messages go to the first one, and reports come from all. */
export class RunningWorkers {
  readonly #workers: readonly RunningWorker[];
  readonly #reports: readonly ReportQueue<Report>[];
  readonly #first: Sender;
  #failure: LocalgradError | undefined;
  /** Rejects when a worker fails. */
  readonly #failed: Promise<never>;
  #reject: (error: LocalgradError) => void = () => {};

  /**
   * @param routes with their capacities
   * @param machines those of all workers but the first one; absent: all workers are threads of this process
   */
  constructor(program: URL, starts: readonly WorkerStart[], routes: readonly WeightChannel[], machines?: MachineGroup) {
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
    const rings = starts.map(({ inputBytes }) => SharedRing.withCapacity(inputBytes));
    this.#first = patientRingSender(at(rings, 0, 'ring'));
    const links = connect(starts, routes);
    const local = machines === undefined ? starts : starts.slice(0, 1);
    const threads = local.map(({ inputBytes: _, gradientBytes: __, ...start }, index) => {
      const output = rings[index + 1]?.memory;
      const connected = {
        ...start,
        input: at(rings, index, 'ring').memory,
        links: at(links, index, 'worker'),
        ...(output === undefined ? {} : { output }),
      };
      return new WorkerThread(program, connected, at(events, index, 'worker'));
    });
    const remote = machines?.start(starts.slice(1), at(rings, 1, 'ring').memory, events.slice(1)) ?? [];
    this.#workers = [...threads, ...remote];
  }

  /** Sends a message to all workers. @throws LocalgradError if a worker has failed */
  async send(message: Message): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    await Promise.race([this.#first.send(encodeMessage(message)), this.#failed]);
  }

  /** The combined report of the next step. */
  async nextStep(): Promise<PipelineStep> {
    const steps = (await this.#nextReports()).map((report) => {
      if (report.kind === 'step') return report.step;
      throw new LocalgradError('misuse', 'A worker reported tensors where a step was expected.');
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
      throw new LocalgradError('misuse', 'A worker reported a step where tensors were expected.');
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
  #fail(error: LocalgradError): void {
    if (this.#failure !== undefined) return;
    this.#failure = error;
    this.#reject(error);
    for (const reports of this.#reports) reports.fail(error);
    for (const worker of this.#workers) worker.abandon();
  }
}

/** Creates the connections for gradients and weights, and assigns their ends to the workers. */
function connect(starts: readonly WorkerStart[], routes: readonly WeightChannel[]): LinkMemories[] {
  const gradients = starts.map(({ gradientBytes }) =>
    gradientBytes === 0 ? undefined : SharedRing.withCapacity(gradientBytes).memory,
  );
  const weights = routes.map((route) => ({ ...route, memory: SharedRing.withCapacity(route.bytes).memory }));
  return starts.map((_, index) => {
    const [gradientInput, gradientOutput] = [gradients[index], gradients[index - 1]];
    return {
      ...(gradientInput === undefined ? {} : { gradientInput }),
      ...(gradientOutput === undefined ? {} : { gradientOutput }),
      weightInputs: weights.filter(({ to }) => to === index).map(({ names, memory }) => ({ names, memory })),
      weightOutputs: weights.filter(({ from }) => from === index).map(({ names, memory }) => ({ names, memory })),
    };
  });
}
