import { at, bytesOf, type Head, type Parameter, rejectUnknownKeys, type Shape3, type Want } from '@localgrad/core';
import { type PooledEvaluation, pooledEvaluationOf } from '@localgrad/nn/heads';
import type { CompiledPlan } from './compile.js';
import { costOfHead, synthesizes } from './heads.js';
import type { ModuleCost } from './module-cost.js';
import { receivesOneLoss } from './only-means.js';
import type { ActiveHead } from './phases.js';
import type { Instruction } from './schedule.js';
import type { SharedWeights } from './shared-weights.js';
import { type HeadInputs, type ScheduleDomain, walkSchedule } from './walk.js';

/** A head on a module, as far as the memory of a step depends on it. */
export interface HeadLoad {
  /** Peak bytes of an evaluation beyond its input. */
  readonly evaluatePeakBytes: number;
  /** Peak bytes of synthesizing the gradient of the module's output, beyond the input; for heads that do. */
  readonly synthesizePeakBytes?: number;
  /** Where the module needs no map for the cotangent of its output; for heads that start with means over windows. */
  readonly pooled?: {
    /** Shape of the means of one sample. */
    readonly shape: Shape3;
    /** Bytes of their cotangent. */
    readonly bytes: number;
    /** Peak bytes of an evaluation beyond its input. */
    readonly evaluatePeakBytes: number;
  };
  /** For each objective, the lowest module that it trains; undefined if all of them are frozen. */
  readonly starts: readonly (number | undefined)[];
  /** Bytes of its loss and of the terms that it reports, which stay until the end of the step. */
  readonly scalarBytes: number;
  /** Parameters of the head. */
  readonly parameters: readonly Parameter[];
}

/** The memory of an active head. */
export function headLoadOf(
  active: ActiveHead,
  compiled: Pick<CompiledPlan, 'network' | 'createTargets'>,
  batchSize: number,
): HeadLoad {
  const cost = costOfHead(active, compiled);
  const synthesis = cost.synthesizePeakBytes?.(batchSize) ?? cost.evaluatePeakBytes(batchSize);
  const pooled = pooledEvaluationOf(active.head);
  return {
    ...(pooled === undefined ? {} : { pooled: pooledLoad(pooled, batchSize) }),
    evaluatePeakBytes: cost.evaluatePeakBytes(batchSize),
    ...(synthesizes(active.head) ? { synthesizePeakBytes: synthesis } : {}),
    starts: active.objectives.map(({ start }) => start),
    scalarBytes: scalarBytesOf(active.head),
    parameters: active.head.parameters,
  };
}

/** Bytes of a head's loss and of the terms that it reports. */
export function scalarBytesOf({ termWeights }: Pick<Head, 'termWeights'>): number {
  return 4 * (1 + (termWeights?.size ?? 0));
}

function pooledLoad(pooled: PooledEvaluation, batchSize: number): NonNullable<HeadLoad['pooled']> {
  const { shape } = pooled;
  return { shape, bytes: bytesOf(shape, batchSize), evaluatePeakBytes: pooled.evaluatePeakBytes(batchSize) };
}

/** What the memory of a step's activations depends on, besides its schedule. */
export interface StepLoad {
  /** Costs of the modules. */
  readonly modules: readonly ModuleCost[];
  /** Heads by module, in the order in which they are evaluated. */
  readonly heads: ReadonlyMap<number, readonly HeadLoad[]>;
  /** Weights that receive several gradients. */
  readonly shared: SharedWeights;
}

/** Peaks of the activations of a step, in bytes. */
export interface StepBytes {
  /** Peak while each module is running. */
  readonly modules: readonly number[];
  /** Peak from the forward pass of each module up to that of the next one. */
  readonly times: readonly number[];
}

/** What a schedule leaves in memory, or finds there. */
export interface BytesOptions {
  /** Whether gradients that leave the first module stay in memory. Default false. */
  readonly keepsSent?: boolean;
  /** Weight gradients that wait for the next micro-batch, or that waited for this one and are used in it. Default: none. */
  readonly gradients?: 'wait' | { readonly waited: number };
  /** Whether losses and terms count, which stay until the end of the step. Default true. */
  readonly countsLosses?: boolean;
}

/**
 * Interprets a schedule over byte counts instead of tensors.
 *
 * @param first the module that reads the batch
 * @throws LocalgradError `invalid-option` if an option has an unknown name
 */
export function predictBytes(
  load: StepLoad,
  schedule: readonly Instruction[],
  first = 0,
  options: BytesOptions = {},
): StepBytes {
  rejectUnknownKeys('predictBytes', options, ['keepsSent', 'gradients', 'countsLosses']);
  const domain = new ByteDomain(load, schedule, first, options);
  walkSchedule(schedule, domain);
  return domain;
}

/** Represents values by their size in bytes, and passes by the size of their residuals. */
class ByteDomain implements ScheduleDomain<number, number>, StepBytes {
  readonly images = 0;
  readonly modules: number[];
  readonly times: number[];
  #live: number;
  #time = 0;
  /** By how many times its size a weight's gradient changes what is in memory, once it is complete. */
  readonly #kept: -1 | 0 | 1;
  /** Shapes of the means whose cotangents are that of a module's output. */
  readonly #means = new Map<number, Shape3>();
  /** Number of gradients that each shared weight has received. */
  readonly #received = new Map<Parameter, number>();

  constructor(
    readonly load: StepLoad,
    readonly schedule: readonly Instruction[],
    readonly first: number,
    readonly options: BytesOptions,
  ) {
    const { gradients } = options;
    this.#live = typeof gradients === 'object' ? gradients.waited : 0;
    this.#kept = gradients === undefined ? 0 : gradients === 'wait' ? 1 : -1;
    this.modules = load.modules.map(() => 0);
    this.times = load.modules.map(() => 0);
  }

  forward(module: number, _input: number, repeat: boolean): { output: number; pass: number } {
    if (!repeat) this.#time = module;
    const { forwardPeakBytes, outputBytes, residualBytes } = this.#cost(module);
    this.#note(module, forwardPeakBytes);
    return { output: this.#take(outputBytes), pass: this.#take(residualBytes) };
  }

  passThrough(module: number): number {
    this.#time = module;
    this.#note(module, this.#cost(module).passingPeakBytes);
    return this.#take(this.#cost(module).outputBytes);
  }

  evaluate(module: number, _read: HeadInputs<number>, arrive: (from: number, cotangent: number) => void): void {
    const heads = this.load.heads.get(module) ?? [];
    const isOneLoss = receivesOneLoss(
      this.schedule,
      module,
      heads.flatMap(({ starts }) => starts),
    );
    for (const head of heads) {
      const { evaluatePeakBytes, synthesizePeakBytes, starts, parameters, scalarBytes } = head;
      const isTaught = synthesizePeakBytes !== undefined;
      const pooled = isOneLoss ? head.pooled : undefined;
      if (pooled !== undefined) this.#means.set(module, pooled.shape);
      this.#note(module, synthesizePeakBytes ?? pooled?.evaluatePeakBytes ?? evaluatePeakBytes);
      if (!isTaught) this.#keepLoss(scalarBytes);
      const bytes = pooled?.bytes ?? this.#cost(module).outputBytes;
      // Objectives of one head receive copies of its cotangent, which remains meanwhile, as do the gradients of its weights.
      const divided = starts.length > 1 ? this.#take(bytes + (isTaught ? 0 : weightBytes(parameters))) : 0;
      for (const start of starts) {
        if (start === undefined) continue;
        const share = this.#take(bytes);
        // The factor is a tensor, too.
        this.#note(module, starts.length > 1 ? 4 : 0);
        arrive(start, share);
      }
      this.free(divided);
      if (!isTaught) this.#hold(parameters);
    }
  }

  teach(module: number, _output: number, gradient: number): void {
    for (const { evaluatePeakBytes, synthesizePeakBytes, scalarBytes, parameters } of this.load.heads.get(module) ??
      []) {
      if (synthesizePeakBytes === undefined) continue;
      this.#note(module, evaluatePeakBytes);
      this.#keepLoss(scalarBytes);
      this.#hold(parameters);
    }
    this.free(gradient);
  }

  vjp(module: number, _pass: number, cotangent: number, want: Want, keep: boolean): number | undefined {
    const cost = this.#cost(module);
    this.#note(module, cost.vjpPeakBytes(want, { means: this.#means.get(module), isShared: keep }));
    if (!keep) this.free(cotangent);
    if (want.parameters) this.#hold(cost.parameters);
    return want.input ? this.#take(cost.inputBytes) : undefined;
  }

  add(sum: number, cotangent: number): number {
    this.free(cotangent);
    return sum;
  }

  emit(bytes: number): void {
    if (this.options.keepsSent !== true) this.free(bytes);
  }

  receive(module: number): number {
    return this.#take(this.#cost(module).outputBytes);
  }

  release(_module: number, pass: number): void {
    this.free(pass);
  }

  free(bytes: number): void {
    this.#live -= bytes;
  }

  /** The sum of the gradients of a shared weight stays until all have arrived. */
  #hold(parameters: readonly Parameter[]): void {
    if (this.load.shared.size === 0 && this.#kept === 0) return;
    for (const parameter of parameters) {
      if (parameter.kind !== 'weight') continue;
      const { gradients } = this.load.shared.get(parameter) ?? { gradients: 1 };
      const count = (this.#received.get(parameter) ?? 0) + 1;
      this.#received.set(parameter, count);
      if (count === 1 && gradients > 1) this.#take(4 * parameter.size);
      else if (count === gradients && gradients > 1) this.free(4 * parameter.size);
      if (count === gradients) this.#take(4 * this.#kept * parameter.size);
    }
  }

  #keepLoss(scalarBytes: number): void {
    if (this.options.countsLosses !== false) this.#take(scalarBytes);
  }

  #take(bytes: number): number {
    this.#live += bytes;
    return bytes;
  }

  #note(module: number, extra: number): void {
    const bytes = this.#live + extra;
    this.modules[module] = Math.max(this.modules[module] ?? 0, bytes);
    this.times[this.#time] = Math.max(this.times[this.#time] ?? 0, bytes);
  }

  #cost(module: number): ModuleCost {
    return at(this.load.modules, module, 'module');
  }
}

/** Bytes of the gradients of the trained parameters. */
function weightBytes(parameters: readonly Parameter[]): number {
  return parameters.reduce((bytes, { kind, size }) => bytes + (kind === 'weight' ? 4 * size : 0), 0);
}
