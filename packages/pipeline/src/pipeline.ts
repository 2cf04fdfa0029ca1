import { at, LocalgradError, rejectUnknownKeys, requireOption } from '@localgrad/core';
import { type Batch, type CompiledPlan, type PeakPrediction, partOf } from '@localgrad/engine';
import type { StoredTensor } from '@localgrad/nn/serialization';
import type { PipelineStart, PipelineStep, StepPipeline } from '@localgrad/train';
import { balancedPlacement, checkDivisible, checkOptimizer } from './divide.js';
import { gradientBytes, isWithin, weightRoutes } from './links.js';
import type { MachineGroup } from './machines/group.js';
import { readData } from './message.js';
import { checkPlacement, formatPlacement, type Placement, parsePlacement } from './placement.js';
import { RunningWorkers } from './running-workers.js';
import type { WorkerStart } from './wiring.js';
import type { WorkerBackend } from './worker-thread.js';

/** Options of `createPipeline`. */
export interface PipelineOptions {
  /** The whole plan, as `train` receives it. */
  readonly compiled: CompiledPlan;
  /**
   * Which worker trains which modules: groups such as `0-3 4-7`, or the number of workers, among which the modules are divided
   * by predicted work; `balancedPlacement` divides them by the times of `measureGroups`.
   */
  readonly placement: string | number | Placement;
  /** The program of the workers: a module that calls `runWorker`. */
  readonly program: URL;
  /** Received by the function that the program passes to `runWorker`; anything that `structuredClone` copies. */
  readonly config?: unknown;
  /** The backend of each worker. Default: wasm with one thread. */
  readonly backend?: WorkerBackend;
  /** The machines of all workers but the first, one for each. Default: all workers are threads of this process. */
  readonly machines?: MachineGroup;
}

/** A pipeline of workers, for option `pipeline` of `train`. */
export interface Pipeline extends StepPipeline {
  /** The groups of modules, from the image to the classifier. */
  readonly placement: Placement;
}

const workerBackends: readonly string[] = ['wasm', 'tensorflow', 'cpu'];

/** Messages that a worker may be ahead of the next one. */
const slots = 2;

/**
 * Divides the modules of a plan among workers, each with a backend and an optimizer of its own. While one worker trains
 * its modules on a batch, the one before it trains on the next batch. Nothing is computed with older weights than in
 * sequential training, so the results are the same bits: where gradients cross backward, or averages follow weights of another
 * worker, workers wait for each other.
 *
 * Workers are threads of this process, or processes on other machines. They start when `train` starts the pipeline, and end with
 * it.
 *
 * @throws LocalgradError `invalid-option` for a placement that separates modules which share weights, and for plans with hooks
 */
export function createPipeline(options: PipelineOptions): Pipeline {
  rejectUnknownKeys('createPipeline', options, ['compiled', 'placement', 'program', 'config', 'backend', 'machines']);
  const { compiled, backend = {}, machines } = options;
  rejectUnknownKeys('createPipeline backend', backend, ['name', 'threads', 'relaxedSimd']);
  const { name = 'wasm' } = backend;
  requireOption(workerBackends.includes(name), 'createPipeline', 'backend', name, workerBackends.join(', '));
  const placement = placementOf(options.placement, compiled);
  if (machines !== undefined) checkMachines(placement, machines.ranks);
  checkDivisible(compiled, placement);
  return new ThreadPipeline(options, placement);
}

/** The groups of a placement that is given as text, as the number of workers, or as groups. @throws LocalgradError */
export function placementOf(placement: PipelineOptions['placement'], compiled: CompiledPlan): Placement {
  const { length } = compiled.network.modules;
  if (typeof placement === 'number') return balancedPlacement(compiled, placement);
  if (typeof placement === 'string') return parsePlacement(placement, length);
  checkPlacement(placement, length);
  return placement;
}

/** @throws LocalgradError `invalid-option` */
function checkMachines(placement: Placement, machines: number): void {
  const { length } = placement;
  if (length === machines) return;
  const allowed = `${machines}, one for each machine`;
  throw new LocalgradError(
    'invalid-option',
    `placement '${formatPlacement(placement)}': ${length} groups; allowed: ${allowed}.`,
    { where: 'placement', option: 'placement', groups: length, allowed },
  );
}

class ThreadPipeline implements Pipeline {
  readonly placement: Placement;
  readonly depth: number;
  readonly #options: PipelineOptions;
  readonly #parts: readonly CompiledPlan[];
  /** Those at the start, some of which no worker changes. */
  #tensors: ReadonlyMap<string, StoredTensor> = new Map();
  #running: RunningWorkers | undefined;

  constructor(options: PipelineOptions, placement: Placement) {
    this.#options = options;
    this.placement = placement;
    this.depth = slots * placement.length;
    this.#parts = placement.map(({ range }) => partOf(options.compiled, range));
  }

  predict(batchSize: number, options: Pick<PipelineStart, 'optimizer' | 'accumulate'>): PeakPrediction {
    return highestPeak(this.#parts, batchSize, options);
  }

  async start({ compiled, optimizer, batchSize, accumulate, seed, tensors }: PipelineStart): Promise<void> {
    const { program, config, backend = {}, machines } = this.#options;
    checkStart(compiled, this.#options.compiled, this.#running);
    checkOptimizer(optimizer, this.placement.length);
    const gradients = gradientBytes(compiled, this.placement, batchSize);
    const starts = this.placement.map((group, index): WorkerStart => {
      const part = at(this.#parts, index, 'part');
      return {
        ...{ ...group, config, backend, accumulate, seed, tensors: tensorsOf(part, tensors) },
        inputBytes: slots * messageBytes(part, batchSize),
        gradientBytes: at(gradients, index, 'worker'),
      };
    });
    // Without further steps, averages leave the weights of the last `delay` + 1 steps unread: their owner must not wait.
    const channels = weightRoutes(compiled, this.placement).map((route) => {
      return { ...route, bytes: (compiled.delay + 2) * route.messageBytes };
    });
    await machines?.complete();
    this.#tensors = tensors;
    this.#running = new RunningWorkers(program, starts, channels, machines);
  }

  async submit(batch: Batch, { clock, learningRate }: Parameters<StepPipeline['submit']>[1]): Promise<void> {
    const data = await readData(batch, this.#options.compiled.reads);
    await this.#run.send({ kind: 'step', clock, learningRate, samples: [batch.images.shape[0]], batch: data });
  }

  next(): Promise<PipelineStep> {
    return this.#run.nextStep();
  }

  async gather(): Promise<ReadonlyMap<string, StoredTensor>> {
    await this.#run.send({ kind: 'gather' });
    const kept = [...this.#tensors].filter(([key]) => ownerInMemory(key) === undefined);
    return new Map([...kept, ...(await this.#run.nextTensors())]);
  }

  async stop(): Promise<void> {
    const running = this.#running;
    this.#running = undefined;
    await running?.stop();
  }

  get #run(): RunningWorkers {
    if (this.#running === undefined) throw new LocalgradError('misuse', 'The pipeline is not running.');
    return this.#running;
  }
}

/** @throws LocalgradError `misuse` if the pipeline is of another plan than the run, or is running */
export function checkStart(compiled: CompiledPlan, expected: CompiledPlan, running: object | undefined): void {
  if (compiled !== expected) throw new LocalgradError('misuse', 'train received another plan than its pipeline.');
  if (running !== undefined) throw new LocalgradError('misuse', 'The pipeline is running already.');
}

/** The prediction of the part with the highest peak. */
export function highestPeak(
  parts: readonly CompiledPlan[],
  batchSize: number,
  options: Pick<PipelineStart, 'optimizer' | 'accumulate'>,
): PeakPrediction {
  const predictions = parts.map((part) => part.predict(batchSize, options));
  return predictions.reduce((highest, one) => (one.peakBytes > highest.peakBytes ? one : highest));
}

/** The tensors of a checkpoint that belong to a part. */
export function tensorsOf(
  { parameters, range }: CompiledPlan,
  tensors: ReadonlyMap<string, StoredTensor>,
): Map<string, StoredTensor> {
  // `parameters/<name>` and `optimizer/<slot>/<name>`.
  const isOwn = (key: string) => {
    const owner = ownerInMemory(key);
    if (owner !== undefined) return isWithin(owner, range);
    return parameters.has(key.replace(/^(parameters|optimizer\/[^/]+)\//, ''));
  };
  return new Map([...tensors].filter(([key]) => isOwn(key)));
}

/** The module to which a tensor of a step's memory belongs; undefined for others. Names: `step/<module>/…`. */
function ownerInMemory(key: string): number | undefined {
  const [, module] = /^step\/(\d+)\//.exec(key) ?? [];
  return module === undefined ? undefined : Number(module);
}

/** Bytes of a message with a full batch; those with targets of unknown size may be larger. */
export function messageBytes(part: CompiledPlan, batchSize: number): number {
  return part.predict(batchSize).batchBytes + 4096;
}
