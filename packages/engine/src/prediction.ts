import { at, bytesOf, type Optimizer, type Parameter } from '@localgrad/core';
import type { CompiledPlan } from './compile.js';
import { type DelayedLoad, predictDelayed } from './delayed-prediction.js';
import { shapeBetween } from './heads.js';
import { moduleCostOf } from './module-cost.js';
import type { CompiledPhase } from './phases.js';
import { type BytesOptions, headLoadOf, predictBytes } from './step-bytes.js';
import { sum } from './sum.js';

/** Predicted peak memory of a training step. */
export interface PeakPrediction {
  /** Peak memory in bytes: the sum of the three values below. */
  readonly peakBytes: number;
  /** Activations, residuals, cotangents, gradients and kernel temporaries at the peak. */
  readonly stepBytes: number;
  /** Parameters and optimizer state. */
  readonly residentBytes: number;
  /**
   * Batches, weights and gradients of earlier steps, which are kept where gradients are delayed; part of `residentBytes`. Absent
   * where none are.
   */
  readonly keptBytes?: number;
  /** Normalized images and targets; also images in [0, 1] if a loss reads them. */
  readonly batchBytes: number;
  /** Peak `stepBytes` while each module (its forward pass, heads or VJPs) is running. */
  readonly modules: readonly number[];
}

/** What a prediction assumes about a step. */
export interface PredictionOptions {
  /** Default: an optimizer with one state value per weight. */
  readonly optimizer?: Pick<Optimizer, 'stateBytes' | 'needsWholeStep'>;
  /**
   * Where gradients are stored, count all of them at every moment, as between the first and the last of several micro-batches:
   * a bound that grows from module to module by the same rule as that of other plans, for comparing many of them. Default
   * false.
   */
  readonly allGradients?: boolean;
  /** Micro-batches per step. Default 1. */
  readonly accumulate?: number;
  /** Default: the phase with the highest peak. */
  readonly phase?: CompiledPhase;
}

/** Options of a prediction for one phase. */
export type PhasePrediction = PredictionOptions & Required<Pick<PredictionOptions, 'phase'>>;

export type Predictable = Pick<
  CompiledPlan,
  | 'network'
  | 'range'
  | 'modules'
  | 'moduleBlocks'
  | 'phases'
  | 'parameters'
  | 'reads'
  | 'createTargets'
  | 'gradientDelay'
>;

/** Predicts peak memory by interpreting the schedules over byte counts instead of tensors. */
export function predictPeak(compiled: Predictable, batchSize: number, options: PredictionOptions = {}): PeakPrediction {
  const { optimizer, accumulate = 1, phase } = options;
  const phases = phase === undefined ? compiled.phases : [phase];
  const partSize = Math.ceil(batchSize / accumulate);
  const holds = holdsGradients(options);
  // Micro-batches are slices of the batch, which stays in memory. Later parts of a plan receive them one after the other.
  const isFirst = compiled.range[0] === 0;
  const changes = changesOf(compiled, options);
  const peaks = phases.map((one) => {
    const sizesOfGradients = holds ? trainedWeights(compiled, one).map(({ size }) => 4 * size) : [];
    const gradients = sum(sizesOfGradients);
    const held = changes.length > 0 ? 0 : gradients;
    const part = accumulate > 1 && isFirst ? imageBytes(compiled, partSize) : 0;
    const sizes = { batchSize, partSize, holdsGradients: holds };
    const walks = changes.map((change) => (change === 'wait' ? change : { waited: gradients }));
    const { modules, kept } = modulePeaks(compiled, one, sizes, walks);
    // An optimizer that needs all gradients replaces one after the other, when all activations have been freed.
    const update = optimizer?.needsWholeStep === true ? gradients + Math.max(0, ...sizesOfGradients) : 0;
    return { kept, update, modules: modules.map((bytes) => (bytes === 0 ? 0 : bytes + held + part)) };
  });
  const modules = compiled.modules.map((_, module) => Math.max(...peaks.map((one) => one.modules[module] ?? 0)));
  const stepBytes = Math.max(...modules, ...peaks.map(({ update }) => update));
  const keptBytes = Math.max(...peaks.map(({ kept = 0 }) => kept));
  const ownBytes = sum([...compiled.parameters.values()].map((parameter) => residentOf(parameter, optimizer)));
  const residentBytes = ownBytes + keptBytes;
  const batchBytes = imageBytes(compiled, isFirst ? batchSize : partSize);
  return {
    ...{ peakBytes: stepBytes + residentBytes + batchBytes, stepBytes, residentBytes, batchBytes, modules },
    ...(compiled.gradientDelay === undefined ? {} : { keptBytes }),
  };
}

/**
 * How the stored gradients change in each micro-batch: they arrive and wait, or wait to be used. Empty where each micro-batch
 * that counts has all of them: of more than two, those between the first and the last.
 */
function changesOf(
  { gradientDelay }: Pick<CompiledPlan, 'gradientDelay'>,
  { optimizer, accumulate = 1, allGradients = false }: PredictionOptions,
): readonly ('wait' | 'use')[] {
  if (allGradients || gradientDelay !== undefined) return [];
  if (optimizer?.needsWholeStep === true) return accumulate === 1 ? ['wait'] : [];
  return accumulate === 2 ? ['wait', 'use'] : [];
}

/** Whether all gradients of a step are stored until its end. */
export function holdsGradients({
  accumulate = 1,
  optimizer,
}: {
  readonly accumulate?: number | undefined;
  readonly optimizer?: Pick<Optimizer, 'needsWholeStep'> | undefined;
}): boolean {
  return accumulate > 1 || optimizer?.needsWholeStep === true;
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

/** Bytes of a parameter with its optimizer state. */
export function residentOf(parameter: Parameter, optimizer: PredictionOptions['optimizer']): number {
  const bytes = 4 * parameter.size;
  if (parameter.kind !== 'weight') return bytes;
  return bytes + (optimizer === undefined ? bytes : optimizer.stateBytes(parameter));
}

interface ModulePeaks {
  /** Peak step bytes while each module is running. */
  readonly modules: readonly number[];
  /** Bytes of earlier steps. */
  readonly kept?: number;
}

/** @param gradients how stored gradients change in the micro-batches that count; empty: they do not */
function modulePeaks(
  compiled: Predictable,
  phase: CompiledPhase,
  sizes: Pick<DelayedLoad, 'batchSize' | 'partSize' | 'holdsGradients'>,
  gradients: readonly NonNullable<BytesOptions['gradients']>[],
): ModulePeaks {
  const { partSize } = sizes;
  const modules = compiled.modules.map((block, index) =>
    moduleCostOf(block, at(compiled.moduleBlocks, index, 'module'), partSize),
  );
  const heads = new Map(
    [...phase.heads].map(([module, group]) => [module, group.map((active) => headLoadOf(active, compiled, partSize))]),
  );
  const load = { modules, heads, shared: phase.shared };
  const { gradientDelay, range } = compiled;
  if (gradientDelay === undefined) {
    const walks: readonly BytesOptions[] = gradients.length === 0 ? [{}] : gradients.map((one) => ({ gradients: one }));
    const peaks = walks.map((options) => predictBytes(load, phase.schedule, range[0], options).modules);
    return { modules: compiled.modules.map((_, module) => Math.max(...peaks.map((own) => own[module] ?? 0))) };
  }
  const delayed = predictDelayed(compiled, gradientDelay, { ...load, ...sizes });
  return { modules: delayed.modules, kept: delayed.keptBytes };
}
