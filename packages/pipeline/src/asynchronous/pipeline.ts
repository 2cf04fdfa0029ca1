import {
  type AsynchronousOptions,
  describeBuffers,
  type ModuleTiming,
  resolveAsynchronous,
  TurnCounter,
} from '@localgrad/asynchronous';
import { at, type JsonValue, LocalgradError, rejectUnknownKeys, requireOption } from '@localgrad/core';
import { type Batch, type CompiledPlan, type PeakPrediction, partOf, type StepMemory } from '@localgrad/engine';
import type { StoredTensor } from '@localgrad/nn/serialization';
import type { PipelineStart, PipelineStep, StepPipeline } from '@localgrad/train';
import * as tf from '@tensorflow/tfjs';
import { checkOptimizer } from '../divide.js';
import { readData } from '../message.js';
import { checkStart, highestPeak, messageBytes, type Pipeline, type PipelineOptions, tensorsOf } from '../pipeline.js';
import type { PlacedGroup, Placement } from '../placement.js';
import { SharedRing } from '../ring.js';
import type { ThreadStart } from '../worker-thread.js';
import { SharedControl } from './control.js';
import { asynchronousPlacement } from './placement.js';
import { SharedReplayBuffer } from './shared-buffer.js';
import { storedHeaderBytes } from './stored-batch.js';
import type { WorkerTurn } from './turn.js';
import { AsynchronousWorkers } from './workers.js';

/** Options of `createAsynchronousPipeline`. */
export interface AsynchronousPipelineOptions extends Omit<PipelineOptions, 'machines'> {
  /**
   * Replay buffers and slow modules, as in the simulation; option `order` must be the default. A slow module makes its worker
   * wait after each of its turns.
   */
  readonly asynchronous?: AsynchronousOptions;
  /**
   * Indices of workers: the order in which they train, one at a time, as the simulation does. Afterwards, and by default, each
   * trains at its own pace.
   */
  readonly turns?: readonly number[];
  /** Called with each turn of each worker, in the order in which reports arrive. */
  onTurn?(turn: WorkerTurn): void;
}

/** A pipeline whose workers do not wait for each other. */
export interface AsynchronousPipeline extends Pipeline {
  readonly memory: StepMemory;
  /** How often each module has trained, and on which batches, since the start of the run. */
  timing(): ModuleTiming[];
}

/** Batches of data that wait for the first worker. */
const waitingBatches = 2;

/**
 * Asynchronous training with replay buffers, in which each worker trains its modules at its own pace: it reads the outputs of
 * the previous worker from a buffer of the last M batches, and waits only while there is nothing that it may read. Results
 * depend on how fast the workers are, so that no two runs are equal.
 *
 * Modules of one worker train one after the other on the same batch. Training ends when the first worker has seen all data.
 *
 * @throws LocalgradError `invalid-option` for a placement with cuts that something else than activations and targets crosses, and
 *   for plans with hooks
 */
export function createAsynchronousPipeline(options: AsynchronousPipelineOptions): AsynchronousPipeline {
  const { compiled, backend = {}, placement: requested, asynchronous = {}, turns = [] } = options;
  const where = 'createAsynchronousPipeline';
  rejectUnknownKeys(where, options, [
    ...(['compiled', 'placement', 'program', 'config', 'backend', 'asynchronous', 'turns', 'onTurn'] as const),
  ]);
  rejectUnknownKeys(`${where} backend`, backend, ['name', 'threads', 'relaxedSimd']);
  const { name = 'wasm' } = backend;
  requireOption(name === 'wasm' || name === 'cpu', where, 'backend', name, 'wasm, cpu');
  const rules = resolveAsynchronous(asynchronous, compiled.modules.length);
  if (rules.order !== 'sequential') {
    throw new LocalgradError(
      'invalid-option',
      `Workers train at their own pace, so option 'order' is '${rules.order}' without effect; remove it, or train in one process.`,
      { option: 'order', value: rules.order },
    );
  }
  const placement = asynchronousPlacement(compiled, requested);
  const isWorker = (turn: number) => Number.isInteger(turn) && turn >= 0 && turn < placement.length;
  const unknown = turns.find((turn) => !isWorker(turn));
  requireOption(unknown === undefined, where, 'turns', unknown, `indices of workers from 0 to ${placement.length - 1}`);
  return new SharedPipeline(options, rules, placement);
}

type Rules = Required<AsynchronousOptions>;

class SharedPipeline implements AsynchronousPipeline {
  readonly placement: Placement;
  readonly depth = waitingBatches + 1;
  readonly memory: StepMemory;
  readonly #options: AsynchronousPipelineOptions;
  readonly #rules: Rules;
  readonly #parts: readonly CompiledPlan[];
  /** Those at the start, some of which no worker changes. */
  #tensors: ReadonlyMap<string, StoredTensor> = new Map();
  #running: AsynchronousWorkers | undefined;
  #counter: TurnCounter;
  /** Counts of the checkpoint that the next start resumes from. */
  #resumed: TurnCounter | undefined;

  constructor(options: AsynchronousPipelineOptions, rules: Rules, placement: Placement) {
    this.#options = options;
    this.#rules = rules;
    this.placement = placement;
    this.#parts = placement.map(({ range }) => partOf(options.compiled, range));
    this.#counter = this.#newCounter();
    this.memory = {
      values: () => ({ turns: this.#counts.state() }),
      tensors: () => new Map(),
      load: (values, tensors) => this.#load(values, tensors),
    };
  }

  timing(): ModuleTiming[] {
    const counts = this.#counts;
    return counts.timing(counts.updatesOf(0));
  }

  predict(batchSize: number, options: Pick<PipelineStart, 'optimizer' | 'accumulate'>): PeakPrediction {
    return highestPeak(this.#parts, batchSize, options);
  }

  async start({ compiled, optimizer, batchSize, accumulate, seed, tensors }: PipelineStart): Promise<void> {
    const { program, config, backend = {}, turns, onTurn } = this.#options;
    checkStart(compiled, this.#options.compiled, this.#running);
    checkOptimizer(optimizer, this.placement.length);
    this.#counter = this.#resumed ?? this.#newCounter();
    this.#resumed = undefined;
    this.#tensors = tensors;
    const control = SharedControl.create(turns);
    const buffers = this.#createBuffers(batchSize, accumulate);
    const data = SharedRing.withCapacity(waitingBatches * messageBytes(at(this.#parts, 0, 'part'), batchSize)).memory;
    const starts = this.placement.map((group, worker): ThreadStart => {
      const output = buffers[worker];
      return {
        ...{ ...group, config, backend, accumulate, seed },
        tensors: tensorsOf(at(this.#parts, worker, 'part'), tensors),
        ends: { input: buffers[worker - 1] ?? data, ...(output === undefined ? {} : { output }) },
        asynchronous: { worker, rules: this.#rules, control: control.memory, pace: paceOf(this.#rules, group) },
      };
    });
    const counter = this.#counter;
    this.#running = new AsynchronousWorkers(program, starts, control, (turn) => {
      const [first, last] = turn.modules;
      const counted = { age: turn.step - turn.batch, isRepeated: turn.isRepeated };
      for (let module = first; module <= last; module++) counter.add(module, counted);
      onTurn?.(turn);
    });
    await this.#running.ready();
  }

  async submit(batch: Batch, { clock, learningRate }: Parameters<StepPipeline['submit']>[1]): Promise<void> {
    const data = await readData(batch, this.#options.compiled.reads);
    await this.#run.send({ clock, learningRate, samples: [batch.images.shape[0]], batch: data });
  }

  next(): Promise<PipelineStep> {
    return this.#run.nextStep();
  }

  async gather(): Promise<ReadonlyMap<string, StoredTensor>> {
    return new Map([...this.#tensors, ...(await this.#run.tensors())]);
  }

  async stop(): Promise<void> {
    const running = this.#running;
    this.#running = undefined;
    await running?.stop();
  }

  /** Memories of the buffers, one per worker but the last. */
  #createBuffers(batchSize: number, accumulate: number): SharedArrayBuffer[] {
    const { compiled } = this.#options;
    const { bufferSize } = this.#rules;
    const storing = this.placement.slice(0, -1).map(({ range }) => range[1]);
    const { buffers } = describeBuffers(compiled, this.#rules, batchSize, storing);
    return buffers.map(({ bytes, targets }) => {
      const slotBytes = bytes / bufferSize + storedHeaderBytes(targets, accumulate);
      return SharedReplayBuffer.create(this.#rules, slotBytes).memory;
    });
  }

  #load(values: JsonValue, tensors: ReadonlyMap<string, tf.Tensor>): void {
    tf.dispose([...tensors.values()]);
    const isObject = typeof values === 'object' && values !== null && 'turns' in values;
    const resumed = this.#newCounter();
    resumed.restore(isObject ? values.turns : undefined);
    this.#resumed = resumed;
  }

  #newCounter(): TurnCounter {
    return new TurnCounter(this.#options.compiled.modules.length);
  }

  get #counts(): TurnCounter {
    return this.#resumed ?? this.#counter;
  }

  get #run(): AsynchronousWorkers {
    if (this.#running === undefined) throw new LocalgradError('misuse', 'The pipeline is not running.');
    return this.#running;
  }
}

/** A worker is as slow as the slowest of its modules. */
function paceOf({ slow }: Rules, { range: [first, last] }: PlacedGroup): number {
  const own = slow.filter(({ module }) => first <= module && module <= last);
  return Math.max(1, ...own.map(({ pace }) => pace));
}
