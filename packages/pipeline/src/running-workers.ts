import { at, type LocalgradError } from '@localgrad/core';
import type { StoredTensor } from '@localgrad/nn/serialization';
import type { PipelineStep } from '@localgrad/train';
import { patientRingSender, type Sender } from './channel.js';
import type { WeightRoute } from './links.js';
import { encodeMessage, type Message } from './message.js';
import { SharedRing } from './ring.js';
import { WorkerThread } from './thread.js';
import type { LinkMemories, ThreadStart } from './worker-thread.js';

/** A worker's thread before it is connected. */
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

/** The threads of a running pipeline: messages go to the first one, and reports come from all. */
export class RunningWorkers {
  readonly #threads: readonly WorkerThread[];
  readonly #first: Sender;
  #failure: LocalgradError | undefined;
  /** Rejects when a worker fails. */
  readonly #failed: Promise<never>;
  #reject: (error: LocalgradError) => void = () => {};

  /** @param routes with their capacities */
  constructor(program: URL, starts: readonly WorkerStart[], routes: readonly WeightChannel[]) {
    this.#failed = new Promise((_, reject) => {
      this.#reject = reject;
    });
    // Senders wait for it; without them, the error arrives with the reports.
    this.#failed.catch(() => {});
    const rings = starts.map(({ inputBytes }) => SharedRing.withCapacity(inputBytes));
    this.#first = patientRingSender(at(rings, 0, 'ring'));
    const links = connect(starts, routes);
    this.#threads = starts.map(({ inputBytes: _, gradientBytes: __, ...start }, index) => {
      const output = rings[index + 1]?.memory;
      const connected = {
        ...start,
        input: at(rings, index, 'ring').memory,
        links: at(links, index, 'worker'),
        ...(output === undefined ? {} : { output }),
      };
      return new WorkerThread(program, connected, (error) => this.#fail(error));
    });
  }

  /** Sends a message to all workers. @throws LocalgradError if a worker has failed */
  async send(message: Message): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    await Promise.race([this.#first.send(encodeMessage(message)), this.#failed]);
  }

  /** The combined report of the next step. */
  async nextStep(): Promise<PipelineStep> {
    const steps = await Promise.all(this.#threads.map((thread) => thread.nextStep()));
    return {
      losses: new Map(steps.flatMap(({ losses }) => losses)),
      terms: new Map(steps.flatMap(({ terms }) => terms)),
      peakBytes: Math.max(...steps.map(({ peakBytes }) => peakBytes)),
      workers: steps.map(({ seconds, waitSeconds, peakBytes }) => ({ seconds, waitSeconds, peakBytes })),
    };
  }

  /** The tensors of all workers, after a message that requests them. */
  async nextTensors(): Promise<ReadonlyMap<string, StoredTensor>> {
    const parts = await Promise.all(this.#threads.map((thread) => thread.nextTensors()));
    return new Map(parts.flatMap((part) => [...part]));
  }

  /** Lets the workers finish the steps that they have received, and ends them. */
  async stop(): Promise<void> {
    if (this.#failure === undefined) await this.send({ kind: 'end' }).catch(() => {});
    await Promise.all(this.#threads.map((thread) => thread.exit));
  }

  /** The first failure of a worker ends all others, which would wait for it forever. */
  #fail(error: LocalgradError): void {
    if (this.#failure !== undefined) return;
    this.#failure = error;
    this.#reject(error);
    for (const thread of this.#threads) thread.abandon(error);
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
