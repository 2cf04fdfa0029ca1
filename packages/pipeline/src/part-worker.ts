import { type Clock, LocalgradError, type Optimizer } from '@localgrad/core';
import {
  type Batch,
  type CompiledPlan,
  createExecutor,
  createTrainStep,
  partOf,
  type TrainStep,
} from '@localgrad/engine';
import { MemoryMeter } from '@localgrad/kernels';
import type { StoredTensor } from '@localgrad/nn/serialization';
import { captureTensors, restoreTensors } from '@localgrad/train';
import type { Receiver, Sender } from './channel.js';
import { type BatchData, batchOf, dataOf, decodeMessage, encodeMessage, type Message } from './message.js';
import type { PlacedGroup } from './placement.js';

/** A plan and an optimizer as a worker builds them, from the same config as the main program. */
export interface WorkerPlan {
  /** The whole plan; the worker keeps the weights of its own modules only. */
  readonly compiled: CompiledPlan;
  /** Turns the gradients of the worker's modules into updates. */
  readonly optimizer: Optimizer;
}

/** What a worker reports of each step. */
export interface PartStep {
  /** Losses by objective, and their terms, in the order of evaluation. */
  readonly losses: readonly (readonly [id: string, value: number])[];
  readonly terms: readonly (readonly [id: string, value: number])[];
  /** Peak bytes of live tensors during the step. */
  readonly peakBytes: number;
}

/** What a worker reports to the main program. */
export type Report =
  | { readonly kind: 'step'; readonly step: PartStep }
  | { readonly kind: 'tensors'; readonly tensors: ReadonlyMap<string, StoredTensor> };

/** The work and the connections of one worker. */
export interface PartWork extends WorkerPlan, Pick<PlacedGroup, 'range'> {
  /** Weights and optimizer state of the worker's modules, by the names of a checkpoint. */
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  /** Micro-batches per step. */
  readonly accumulate: number;
  /** Seed for the random numbers of blocks and heads. */
  readonly seed: number;
  /** From the main program, or the worker of the previous modules. */
  readonly input: Receiver;
  /** To the worker of the next modules; absent on the last one. */
  readonly output?: Sender;
  /** Receives reports, in the order of the messages. */
  report(report: Report): void;
}

/** Trains one group of modules until the last message. */
export async function runPart(work: PartWork): Promise<void> {
  const worker = new PartWorker(work);
  try {
    while (await worker.next());
  } finally {
    worker.dispose();
  }
}

class PartWorker {
  readonly #work: PartWork;
  readonly #part: CompiledPlan;
  readonly #step: TrainStep;
  readonly #meter: MemoryMeter;
  /** Targets that heads on later modules read. */
  readonly #laterTargets: readonly string[];
  #learningRate = 0;
  #outputs: BatchData[] = [];
  #expected = 0;
  /** Sends the outputs of the current step, as soon as all micro-batches have passed. */
  #sendStep: (() => void) | undefined;
  #sent: ReturnType<Sender['send']> = undefined;

  constructor(work: PartWork) {
    this.#work = work;
    const { compiled, optimizer, range, accumulate, seed, tensors } = work;
    this.#part = partOf(compiled, range);
    this.#laterTargets = partOf(compiled, [range[1] + 1, compiled.network.modules.length - 1]).reads;
    const owned = new Set(this.#part.parameters.values());
    for (const parameter of compiled.parameters.values()) if (!owned.has(parameter)) parameter.dispose();
    this.#meter = new MemoryMeter();
    restoreTensors(this.#part, optimizer, tensors);
    this.#step = createTrainStep({
      compiled: this.#part,
      optimizer,
      accumulate,
      seed,
      learningRate: { config: {}, rate: () => this.#learningRate },
      executor: (part) => createExecutor(part, { onOutput: (output) => this.#passOn(output) }),
    });
  }

  /** Handles the next message; false after the last one. */
  async next(): Promise<boolean> {
    const { input, output, optimizer, report } = this.#work;
    const bytes = await input.receive();
    const message = decodeMessage(bytes);
    if (message.kind === 'step') {
      await this.#runStep(message);
      return true;
    }
    await output?.send(bytes);
    if (message.kind === 'end') return false;
    report({ kind: 'tensors', tensors: await captureTensors(this.#part, optimizer) });
    return true;
  }

  async #runStep({ parts, clock, learningRate }: Message & { kind: 'step' }): Promise<void> {
    const { report, output } = this.#work;
    this.#learningRate = learningRate;
    this.#sent = undefined;
    this.#sendStep = () => {
      const message = encodeMessage({ kind: 'step', clock, learningRate, parts: this.#outputs.splice(0) });
      this.#sent = output?.send(message);
      this.#sendStep = undefined;
    };
    const step = parts.length === 0 ? { losses: [], terms: [], peakBytes: 0 } : this.#train(parts, clock);
    // The phase ends in this part or an earlier one: later parts have nothing to do.
    this.#sendStep?.();
    await this.#sent;
    report({ kind: 'step', step });
  }

  #train(parts: readonly BatchData[], clock: Clock): PartStep {
    this.#meter.reset();
    const batches = parts.map(batchOf);
    try {
      const [first] = batches;
      if (first === undefined) throw new LocalgradError('misuse', 'A step of a pipeline has no micro-batches.');
      // The first worker splits the batch; the others receive its micro-batches.
      const isFirst = this.#work.range[0] === 0;
      this.#expected = isFirst ? Math.min(this.#work.accumulate, first.images.shape[0]) : batches.length;
      const { losses, terms } = this.#step.run(isFirst ? first : batches, clock);
      return { losses: valuesOf(losses), terms: valuesOf(terms), peakBytes: this.#meter.peakBytes };
    } finally {
      for (const batch of batches) batch.dispose();
    }
  }

  #passOn(output: Batch): void {
    this.#outputs.push(dataOf(output, this.#laterTargets));
    if (this.#outputs.length === this.#expected) this.#sendStep?.();
  }

  dispose(): void {
    this.#meter.detach();
    this.#step.dispose();
  }
}

type Scalars = ReturnType<TrainStep['run']>['losses'];

function valuesOf(scalars: Scalars): (readonly [string, number])[] {
  return [...scalars].map(([id, scalar]) => {
    const [value = Number.NaN] = scalar.dataSync();
    scalar.dispose();
    return [id, value];
  });
}
