import type { Optimizer, Parameter } from '@localgrad/core';
import {
  type Batch,
  type CompiledPlan,
  createPartStep,
  type PartStep as EnginePartStep,
  endStep,
  partOf,
} from '@localgrad/engine';
import { MemoryMeter } from '@localgrad/kernels';
import type { StoredTensor } from '@localgrad/nn/serialization';
import { captureTensors, restoreTensors, type WorkerStep } from '@localgrad/train';
import type { WorkerTurn } from './asynchronous/turn.js';
import type { Receiver, Sender } from './channel.js';
import { FollowedWeights } from './followed-weights.js';
import { dataOf, decodeMessage, encodeMessage, type StepMessage, tensorOf } from './message.js';
import { type MicroBatches, receiveMicroBatches, splitMicroBatches } from './micro-batches.js';
import { disposeOthers, readScalars, targetsOfLater } from './own-part.js';
import { gradientCrossings, noLinks, type PartLinks, sendWeights } from './part-links.js';
import type { PlacedGroup } from './placement.js';
import { WaitingTime } from './waiting-time.js';

/** A plan and an optimizer as a worker builds them, from the same config as the main program. */
export interface WorkerPlan {
  /** The whole plan; the worker keeps the weights of its own modules only. */
  readonly compiled: CompiledPlan;
  /** Turns the gradients of the worker's modules into updates. */
  readonly optimizer: Optimizer;
}

/** What a worker reports of each step. */
export interface PartStep extends WorkerStep {
  /** Losses by objective, and their terms, in the order of evaluation. */
  readonly losses: readonly (readonly [id: string, value: number])[];
  readonly terms: readonly (readonly [id: string, value: number])[];
}

/** What a worker reports to the main program. */
export type Report =
  | { readonly kind: 'step'; readonly step: PartStep }
  /** In asynchronous training: the worker can train, or has trained. */
  | { readonly kind: 'ready' }
  | { readonly kind: 'turn'; readonly turn: WorkerTurn }
  | { readonly kind: 'tensors'; readonly tensors: ReadonlyMap<string, StoredTensor> };

/** The work and the connections of one worker. */
export interface PartWork extends WorkerPlan, Pick<PlacedGroup, 'range'> {
  /** Weights, optimizer state and what steps keep of the worker's modules, by the names of a checkpoint. */
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  /** Micro-batches per step. */
  readonly accumulate: number;
  /** Seed for the random numbers of blocks and heads. */
  readonly seed: number;
  /** From the main program, or the worker of the previous modules. */
  readonly input: Receiver;
  /** To the worker of the next modules; absent on the last one. */
  readonly output?: Sender;
  /** For what crosses cuts besides activations and targets. Default: nothing does. */
  readonly links?: PartLinks;
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

/** Prefix of what a step keeps, in a checkpoint. */
const ofStep = 'step/';

class PartWorker {
  readonly #work: PartWork;
  readonly #part: CompiledPlan;
  readonly #step: EnginePartStep;
  readonly #meter: MemoryMeter;
  readonly #followed: FollowedWeights;
  /** Targets that heads on later modules read. */
  readonly #laterTargets: readonly string[];
  /** Sends a micro-batch of the current step to the next worker. */
  #sendOn: (batch: Batch) => void = () => {};
  #sent: ReturnType<Sender['send']>[] = [];
  readonly #waiting = new WaitingTime();
  #isFirstStep = true;

  constructor(given: PartWork) {
    const work = this.#waiting.measured(given);
    this.#work = work;
    const { compiled, optimizer, range, accumulate, seed, tensors, links = noLinks } = work;
    const part = partOf(compiled, range);
    this.#followed = new FollowedWeights(part, links.weightInputs, tensors);
    this.#part = withoutFollowed(part);
    this.#laterTargets = targetsOfLater(compiled, range);
    disposeOthers(compiled, this.#part);
    this.#meter = new MemoryMeter();
    const own = new Map([...tensors].filter(([name]) => !name.startsWith(ofStep)));
    for (const name of part.parameters.keys()) if (!this.#part.parameters.has(name)) own.delete(`parameters/${name}`);
    restoreTensors(this.#part, optimizer, own);
    this.#step = createPartStep({
      compiled: this.#part,
      optimizer,
      accumulate,
      seed,
      onOutput: (output) => this.#sendOn(output),
      onHead: (key) => this.#followed.beforeHead(key),
      crossings: gradientCrossings(links),
    });
    const kept = [...tensors].filter(([name]) => name.startsWith(ofStep));
    if (kept.length === 0) return;
    this.#step.memory?.load(
      {},
      new Map(kept.map(([name, tensor]) => [name.slice(ofStep.length), tensorOf(tensor)] as const)),
    );
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
    this.#followed.settle();
    if (message.kind === 'end') return false;
    this.#step.settle?.();
    const tensors = await captureTensors(this.#part, optimizer, this.#step.memory);
    report({ kind: 'tensors', tensors: new Map([...tensors, ...this.#followed.tensors()]) });
    return true;
  }

  async #runStep(first: StepMessage): Promise<void> {
    const { report, output } = this.#work;
    const { clock, learningRate } = first;
    const start = performance.now();
    const waited = this.#waiting.take();
    if (this.#isFirstStep) this.#sendWeights(clock.step);
    this.#isFirstStep = false;
    const send = (samples: readonly number[], batch?: Batch) => {
      const data = batch === undefined ? undefined : dataOf(batch, this.#laterTargets);
      this.#sent.push(output?.send(encodeMessage({ kind: 'step', clock, learningRate, samples, batch: data })));
    };
    this.#meter.reset();
    const batches = await this.#microBatches(first);
    const samples = batches.parts.map((part) => part.samples);
    this.#sendOn = (batch) => send(samples, batch);
    const trained = samples.length === 0 ? { losses: [], terms: [], peakBytes: 0 } : this.#train(batches, first);
    // The phase ends in this part or an earlier one: later parts have nothing to train, but their weights may be waited for.
    if (this.#sent.length === 0) send([]);
    endStep(this.#part, clock, () => true);
    const { heads } = this.#part.phaseAt(clock);
    this.#followed.endStep(clock, new Set([...heads.values()].flat().map(({ key }) => key)));
    this.#sendWeights(clock.step + 1);
    await Promise.all(this.#sent.splice(0));
    const within = this.#waiting.take();
    const seconds = (performance.now() - start) / 1000 - within;
    report({ kind: 'step', step: { ...trained, seconds, waitSeconds: waited + within } });
  }

  async #microBatches(message: StepMessage): Promise<MicroBatches> {
    const { range, accumulate, input, links = noLinks } = this.#work;
    if (range[0] === 0) return splitMicroBatches(message, accumulate);
    return receiveMicroBatches(message, input, links.gradientOutput !== undefined);
  }

  #train(
    { parts, dispose }: MicroBatches,
    { clock, learningRate }: StepMessage,
  ): Omit<PartStep, 'seconds' | 'waitSeconds'> {
    try {
      const { losses, terms } = this.#step.run(parts, { clock, learningRate });
      return { losses: readScalars(losses), terms: readScalars(terms), peakBytes: this.#meter.peakBytes };
    } finally {
      dispose();
    }
  }

  /** @param step number of steps so far */
  #sendWeights(step: number): void {
    sendWeights(this.#work.links ?? noLinks, this.#part.parameters, step);
  }

  dispose(): void {
    this.#meter.detach();
    this.#step.dispose?.();
  }
}

/** A part without the averages that follow weights of other parts, which `FollowedWeights` moves, and their histories. */
function withoutFollowed(part: CompiledPlan): CompiledPlan {
  const isOwn = ({ live }: { readonly live: Parameter }) => part.parameters.has(live.name);
  const others = new Set(part.histories.filter((one) => !isOwn(one)).flatMap(({ values }) => values));
  return {
    ...part,
    averages: part.averages.filter(isOwn),
    histories: part.histories.filter(isOwn),
    parameters: new Map([...part.parameters].filter(([, parameter]) => !others.has(parameter))),
  };
}
