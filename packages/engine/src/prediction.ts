import { at, type Block, bytesOf, type Optimizer, type Parameter, type Want } from '@localgrad/core';
import { costOf } from '@localgrad/nn/cost';
import type { CompiledPlan } from './compile.js';
import { costOfHead, shapeBetween } from './heads.js';
import type { CompiledPhase } from './phases.js';
import { type HeadInputs, type ScheduleDomain, walkSchedule } from './walk.js';

/** Predicted peak memory of a training step. */
export interface PeakPrediction {
  /** Peak memory in bytes: the sum of the three values below. */
  readonly peakBytes: number;
  /** Activations, residuals, cotangents, gradients and kernel temporaries at the peak. */
  readonly stepBytes: number;
  /** Parameters and optimizer state. */
  readonly residentBytes: number;
  /** Normalized images and targets; also images in [0, 1] if a loss reads them. */
  readonly batchBytes: number;
  /** Peak `stepBytes` while each module (its forward pass, heads or VJPs) is running. */
  readonly modules: readonly number[];
}

/** What a prediction assumes about a step. */
export interface PredictionOptions {
  /** Default: an optimizer with one state value per weight. */
  readonly optimizer?: Pick<Optimizer, 'stateBytes' | 'needsWholeStep'>;
  /** Micro-batches per step. Default 1. */
  readonly accumulate?: number;
  /** Default: the phase with the highest peak. */
  readonly phase?: CompiledPhase;
}

/** Options of a prediction for one phase. */
export type PhasePrediction = PredictionOptions & Required<Pick<PredictionOptions, 'phase'>>;

type Predictable = Pick<
  CompiledPlan,
  'network' | 'range' | 'modules' | 'moduleBlocks' | 'phases' | 'parameters' | 'reads' | 'createTargets'
>;

/** Predicts peak memory by interpreting the schedules over byte counts instead of tensors. */
export function predictPeak(compiled: Predictable, batchSize: number, options: PredictionOptions = {}): PeakPrediction {
  const { optimizer, accumulate = 1, phase } = options;
  const phases = phase === undefined ? compiled.phases : [phase];
  const partSize = Math.ceil(batchSize / accumulate);
  const holdsGradients = accumulate > 1 || optimizer?.needsWholeStep === true;
  const peaks = phases.map((one) => {
    const held = holdsGradients ? 4 * sum(trainedWeights(compiled, one).map(({ size }) => size)) : 0;
    // Micro-batches are slices of the batch, which stays in memory.
    const part = accumulate > 1 ? imageBytes(compiled, partSize) : 0;
    return modulePeaks(compiled, one, partSize).map((bytes) => (bytes === 0 ? 0 : bytes + held + part));
  });
  const modules = compiled.modules.map((_, module) => Math.max(...peaks.map((one) => one[module] ?? 0)));
  const stepBytes = Math.max(...modules);
  const residentBytes = sum([...compiled.parameters.values()].map((parameter) => residentOf(parameter, optimizer)));
  const batchBytes = imageBytes(compiled, batchSize);
  return { peakBytes: stepBytes + residentBytes + batchBytes, stepBytes, residentBytes, batchBytes, modules };
}

/** Weights that are updated in a step of a phase. */
export function trainedWeights(
  { network }: Pick<CompiledPlan, 'network'>,
  { frozen, objectives, heads }: CompiledPhase,
): Parameter[] {
  const isTrained = (module: number) =>
    !frozen.has(module) && objectives.some(({ span: [from, to] }) => from <= module && module <= to);
  const owners = [
    ...network.modules.filter(({ index }) => isTrained(index)).flatMap(({ blocks }) => blocks),
    ...[...heads.values()].flat().map(({ head }) => head),
  ];
  const weights = owners.flatMap(({ parameters }) => parameters).filter(({ kind }) => kind === 'weight');
  return [...new Set(weights)];
}

/** Bytes of the input and labels of a batch, and of its images in [0, 1] if a loss reads them. */
export function imageBytes(
  { network, range, reads }: Pick<CompiledPlan, 'network' | 'range' | 'reads'>,
  batchSize: number,
): number {
  const images = reads.includes('images') ? bytesOf(network.imageShape, batchSize) : 0;
  return bytesOf(shapeBetween(network, range[0] - 1), batchSize) + images + 4 * batchSize;
}

function residentOf(parameter: Parameter, optimizer: PredictionOptions['optimizer']): number {
  const bytes = 4 * parameter.size;
  if (parameter.kind !== 'weight') return bytes;
  return bytes + (optimizer === undefined ? bytes : optimizer.stateBytes(parameter));
}

function modulePeaks(compiled: Predictable, phase: CompiledPhase, batchSize: number): readonly number[] {
  const domain = new ByteDomain(compiled, phase, batchSize);
  walkSchedule(phase.schedule, domain, compiled.range[0]);
  return domain.highest;
}

/** Represents values by their size in bytes, and passes by the size of their residuals. */
class ByteDomain implements ScheduleDomain<number, number> {
  readonly images = 0;
  readonly highest: number[];
  #live = 0;
  /** Number of gradients that each shared weight has received. */
  readonly #received = new Map<Parameter, number>();

  constructor(
    readonly compiled: Predictable,
    readonly phase: CompiledPhase,
    readonly batchSize: number,
  ) {
    this.highest = compiled.modules.map(() => 0);
  }

  forward(module: number): { output: number; pass: number } {
    const cost = costOf(this.#block(module));
    this.#note(module, cost.forwardPeakBytes(this.batchSize));
    return { output: this.#take(this.#outputBytes(module)), pass: this.#take(cost.residualBytes(this.batchSize)) };
  }

  passThrough(module: number): number {
    this.#note(module, passingPeak(at(this.compiled.moduleBlocks, module, 'module'), this.batchSize));
    return this.#take(this.#outputBytes(module));
  }

  evaluate(module: number, _read: HeadInputs<number>, arrive: (from: number, cotangent: number) => void): void {
    for (const active of this.phase.heads.get(module) ?? []) {
      this.#note(module, costOfHead(active, this.compiled).evaluatePeakBytes(this.batchSize));
      for (const { start } of active.objectives) {
        if (start !== undefined) arrive(start, this.#take(this.#outputBytes(module)));
      }
      this.#hold(active.head.parameters);
    }
  }

  vjp(module: number, _pass: number, cotangent: number, want: Want): number | undefined {
    const block = this.#block(module);
    this.#note(module, costOf(block).vjpPeakBytes(this.batchSize, want));
    this.free(cotangent);
    if (want.parameters) this.#hold(block.parameters);
    return want.input ? this.#take(bytesOf(block.inputShape, this.batchSize)) : undefined;
  }

  copy(cotangent: number): number {
    return this.#take(cotangent);
  }

  add(sum: number, cotangent: number): number {
    this.free(cotangent);
    return sum;
  }

  release(_module: number, pass: number): void {
    this.free(pass);
  }

  free(bytes: number): void {
    this.#live -= bytes;
  }

  /** The sum of the gradients of a shared weight stays until all have arrived. */
  #hold(parameters: readonly Parameter[]): void {
    for (const parameter of parameters) {
      const { gradients } = this.phase.shared.get(parameter) ?? { gradients: 1 };
      if (gradients < 2) continue;
      const count = (this.#received.get(parameter) ?? 0) + 1;
      this.#received.set(parameter, count);
      if (count === 1) this.#take(4 * parameter.size);
      else if (count === gradients) this.free(4 * parameter.size);
    }
  }

  #take(bytes: number): number {
    this.#live += bytes;
    return bytes;
  }

  #note(module: number, extra: number): void {
    this.highest[module] = Math.max(this.highest[module] ?? 0, this.#live + extra);
  }

  #outputBytes(module: number): number {
    return bytesOf(this.#block(module).outputShape, this.batchSize);
  }

  #block(module: number): Block {
    return at(this.compiled.modules, module, 'module');
  }
}

/** Peak of a forward pass without residuals: each block's input is freed once its output exists. */
function passingPeak(blocks: readonly Block[], batchSize: number): number {
  return Math.max(
    0,
    ...blocks.map((block, index) => {
      const owned = index === 0 ? 0 : bytesOf(block.inputShape, batchSize);
      return owned + costOf(block).forwardPeakBytes(batchSize);
    }),
  );
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
