import { readRandom } from '@localgrad/asynchronous';
import type { Span } from '@localgrad/core';
import {
  type BatchPart,
  type CompiledPlan,
  createPartStep,
  endStep,
  type PartStep,
  partOf,
  phaseWork,
} from '@localgrad/engine';
import { MemoryMeter } from '@localgrad/kernels';
import type { StoredTensor } from '@localgrad/nn/serialization';
import { captureTensors, restoreTensors } from '@localgrad/train';
import type { Receiver } from '../channel.js';
import { type BatchData, dataOf, decodeMessage, type StepMessage } from '../message.js';
import { arrivedMicroBatch, splitMicroBatches } from '../micro-batches.js';
import { disposeOthers, readScalars, targetsOfLater } from '../own-part.js';
import type { Report, WorkerPlan } from '../part-worker.js';
import type { Moment, SharedControl } from './control.js';
import type { ReadBatch, SharedReplayBuffer } from './shared-buffer.js';
import { decodeBatches, encodeBatches } from './stored-batch.js';

/** The work and the connections of one worker of asynchronous training. */
export interface AsynchronousWork extends WorkerPlan {
  /** Index of the worker, from 0. */
  readonly worker: number;
  /** First and last module. */
  readonly range: Span;
  /** Weights and optimizer state of the worker's modules, by the names of a checkpoint. */
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  /** Micro-batches per step. */
  readonly accumulate: number;
  /** Seed for the random numbers of blocks, heads and reads. */
  readonly seed: number;
  /** Data from the main program, on the first worker; on others the outputs of the previous one. */
  readonly input: Receiver | SharedReplayBuffer;
  /** For the worker's outputs; absent on the last one. */
  readonly output?: SharedReplayBuffer;
  readonly control: SharedControl;
  /** Duration of the worker's turns, in multiples of the time that they need. */
  readonly pace: number;
  /** Receives reports, in order. */
  report(report: Report): void;
}

/** Trains one group of modules at its own pace until the command to end. */
export async function runAsynchronousPart(work: AsynchronousWork): Promise<void> {
  const worker = new AsynchronousPart(work);
  try {
    work.report({ kind: 'ready' });
    if ('receive' in work.input) await worker.trainOnData(work.input);
    else await worker.trainOnOutputs(work.input);
  } finally {
    worker.dispose();
  }
}

/** What a turn trains on. */
interface TurnInput extends Pick<ReadBatch, 'batch'> {
  readonly output?: number;
  readonly parts: readonly BatchPart[];
}

class AsynchronousPart {
  readonly #work: AsynchronousWork;
  readonly #part: CompiledPlan;
  readonly #step: PartStep;
  readonly #meter: MemoryMeter;
  /** Targets that heads of later workers read. */
  readonly #laterTargets: readonly string[];
  /** Outputs of the turn that runs now, one per micro-batch. */
  #outputs: BatchData[] = [];
  #stored: (outputs: readonly BatchData[]) => void = () => {};
  /** Data of earlier turns, by step. */
  readonly #seen = new Set<number>();
  /** Turns so far, with those that were skipped in a given order. */
  #turns = 0;
  #last = { step: -1, repetition: 0 };
  /** Time before which a slow worker does not begin its next turn. */
  #rested = 0;

  constructor(work: AsynchronousWork) {
    this.#work = work;
    const { compiled, optimizer, range, accumulate, seed, tensors } = work;
    this.#part = partOf(compiled, range);
    this.#laterTargets = targetsOfLater(compiled, range);
    disposeOthers(compiled, this.#part);
    this.#meter = new MemoryMeter();
    restoreTensors(this.#part, optimizer, tensors);
    this.#step = createPartStep({
      compiled: this.#part,
      ...{ optimizer, accumulate, seed },
      onOutput: (output) => {
        this.#outputs.push(dataOf(output, this.#laterTargets));
        this.#stored(this.#outputs);
      },
    });
  }

  /** The first worker: one turn for each batch of data. */
  async trainOnData(input: Receiver): Promise<void> {
    for (;;) {
      const message = decodeMessage(await input.receive());
      if (message.kind === 'end') return;
      if (message.kind === 'gather') await this.#reportTensors();
      else this.#trainOnMessage(message);
    }
  }

  #trainOnMessage(message: StepMessage): void {
    const { control, accumulate, worker } = this.#work;
    for (;;) {
      const seen = control.events;
      // Nobody asks for the steps that are left.
      if (this.#hasEnded) return;
      if (control.isTurnOf(worker)) break;
      control.wait(seen);
    }
    const { clock, learningRate } = message;
    control.moment = { clock, learningRate };
    control.announce();
    const { parts, dispose } = splitMicroBatches(message, accumulate);
    try {
      this.#train({ batch: clock.step, parts }, { clock, learningRate });
    } finally {
      dispose();
    }
    // Nothing interrupts the rest of a slow worker but the end: commands reach this worker with its data.
    for (;;) {
      const seen = control.events;
      const left = this.#rested - performance.now();
      if (left <= 0 || this.#hasEnded) return;
      control.wait(seen, left);
    }
  }

  get #hasEnded(): boolean {
    return this.#work.control.current.kind === 'end';
  }

  /** All other workers: turns while there is something to read. */
  async trainOnOutputs(input: SharedReplayBuffer): Promise<void> {
    const { control } = this.#work;
    let obeyed = 0;
    for (;;) {
      // Before everything that it is about, so that no event is missed.
      const seen = control.events;
      const { kind, number } = control.current;
      if (kind === 'end') return;
      if (kind === 'rest' && control.mayRest) {
        if (obeyed !== number) await this.#reportTensors();
        obeyed = number;
        control.wait(seen);
      } else {
        const left = this.#rested - performance.now();
        if (left > 0) control.wait(seen, left);
        else if (!this.#takeTurn(input)) control.wait(seen);
      }
    }
  }

  /** Trains on a stored batch; false if it cannot now. */
  #takeTurn(input: SharedReplayBuffer): boolean {
    const { control, worker, seed } = this.#work;
    if (!control.isTurnOf(worker)) return false;
    const before = control.moment;
    const read = this.#isActiveAt(before) ? input.read(() => readRandom(seed, worker - 1, this.#turns)) : undefined;
    if (read === undefined) {
      if (!control.hasOrder) return false;
      // As in the simulation, a module that has nothing to read skips its turn.
      this.#endTurn();
      return true;
    }
    const { batch, output, bytes } = read;
    // The first worker may have begun steps since, and this batch be the data of one of them: no batch is from the future.
    const moment = batch > before.clock.step ? control.moment : before;
    if (!this.#isActiveAt(moment)) return true;
    this.#train({ batch, output, parts: decodeBatches(bytes).map(arrivedMicroBatch) }, moment);
    return true;
  }

  /** Whether the worker's modules train in the phase of a step. */
  #isActiveAt({ clock }: Moment): boolean {
    return this.#part.phaseAt(clock).schedule.length > 0;
  }

  #train({ batch, output, parts }: TurnInput, { clock, learningRate }: Moment): void {
    const { worker, range, pace, report } = this.#work;
    const start = performance.now();
    const { step } = clock;
    const repetition = step === this.#last.step ? this.#last.repetition + 1 : 0;
    this.#last = { step, repetition };
    this.#meter.reset();
    this.#outputs = [];
    // As soon as the last micro-batch has its output: the next worker need not wait for the losses.
    this.#stored = (outputs) => {
      if (outputs.length === parts.length) this.#store(batch, outputs);
    };
    const { losses, terms } = this.#step.run(parts, { clock, learningRate, repetition });
    endStep(this.#part, clock, () => true);
    const measured = { losses: readScalars(losses), terms: readScalars(terms), peakBytes: this.#meter.peakBytes };
    const end = performance.now();
    this.#rested = end + (pace - 1) * (end - start);
    // Before the report: the main program may ask for rest as soon as it has it.
    this.#endTurn();
    report({
      kind: 'turn',
      turn: {
        ...{ worker, modules: range, step, repetition, batch },
        ...(output === undefined ? {} : { output }),
        isRepeated: this.#seen.has(batch),
        multiplyAccumulatesPerImage: phaseWork(this.#part, this.#part.phaseAt(clock)),
        ...measured,
      },
    });
    this.#seen.add(batch);
  }

  #store(batch: number, outputs: readonly BatchData[]): void {
    const { output, control } = this.#work;
    output?.write(batch, encodeBatches(outputs));
    control.announce();
  }

  #endTurn(): void {
    this.#turns++;
    this.#work.control.endTurn();
  }

  async #reportTensors(): Promise<void> {
    const { optimizer, report } = this.#work;
    report({ kind: 'tensors', tensors: await captureTensors(this.#part, optimizer) });
  }

  dispose(): void {
    this.#meter.detach();
  }
}
