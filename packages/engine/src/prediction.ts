import { at, bytesOf, get, type Optimizer, type Parameter, rejectUnknownKeys } from '@localgrad/core';
import type { CreateTargets } from '@localgrad/nn/cost';
import { dispose } from '@tensorflow/tfjs';
import { partSizes } from './accumulation.js';
import type { CompiledPlan } from './compile.js';
import { type DelayedLoad, predictDelayed } from './delayed-prediction.js';
import { stateBytesOf } from './end-step.js';
import { shapeBetween } from './heads.js';
import { moduleCostOf } from './module-cost.js';
import type { CompiledPhase } from './phases.js';
import { type BytesOptions, headLoadOf, predictBytes, scalarBytesOf } from './step-bytes.js';
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
   * a bound that grows from module to module by the same rule as that of other plans, for comparing many of them. The losses of
   * a step count in the same way. Default false.
   */
  readonly allGradients?: boolean;
  /** Micro-batches per step. Default 1. */
  readonly accumulate?: number;
  /** Default: the phase with the highest peak. */
  readonly phase?: CompiledPhase;
}

const optionNames = [
  'optimizer',
  'allGradients',
  'accumulate',
  'phase',
] as const satisfies readonly (keyof PredictionOptions)[];

/** Options of a prediction for one phase. */
export type PhasePrediction = PredictionOptions & Required<Pick<PredictionOptions, 'phase'>>;

export type Predictable = Pick<
  CompiledPlan,
  | 'network'
  | 'plan'
  | 'range'
  | 'modules'
  | 'moduleBlocks'
  | 'phases'
  | 'parameters'
  | 'reads'
  | 'createTargets'
  | 'gradientDelay'
>;

/**
 * Predicts peak memory by interpreting the schedules over byte counts instead of tensors. Exact to the byte for blocks and heads
 * that declare or measure their cost exactly, on kernels without temporaries of their own; else an upper bound. It is one where
 *
 * - an objective that shares its head with others has weight 0 at a step: its share of the cotangent may need no copy;
 * - a block does not declare `sharedVjpPeakBytes`: see `BlockCost`;
 * - phases may return (`PhaseRule.isInOrder`): optimizer state of all weights counts from the start.
 */
export function predictPeak(compiled: Predictable, batchSize: number, options: PredictionOptions = {}): PeakPrediction {
  rejectUnknownKeys('predict', options, optionNames);
  const { phase } = options;
  const phases = phase === undefined ? compiled.phases : [phase];
  const peaks = phases.map((one) => phasePeak(compiled, one, batchSize, options));
  const modules = compiled.modules.map((_, module) => Math.max(...peaks.map((one) => one.modules[module] ?? 0)));
  const isFirst = compiled.range[0] === 0;
  const batchBytes = imageBytes(compiled, isFirst ? batchSize : Math.ceil(batchSize / (options.accumulate ?? 1)));
  const totals = peaks.map(({ stepBytes, residentBytes }) => stepBytes + residentBytes);
  const highest = at(peaks, totals.indexOf(Math.max(...totals)), 'phase');
  const { stepBytes, residentBytes, keptBytes } = highest;
  return {
    ...{ peakBytes: stepBytes + residentBytes + batchBytes, stepBytes, residentBytes, batchBytes, modules },
    ...(compiled.gradientDelay === undefined ? {} : { keptBytes }),
  };
}

interface PhasePeak {
  readonly stepBytes: number;
  readonly residentBytes: number;
  /** Bytes of earlier steps, part of `residentBytes`. */
  readonly keptBytes: number;
  /** Peak step bytes while each module is running. */
  readonly modules: readonly number[];
}

function phasePeak(
  compiled: Predictable,
  phase: CompiledPhase,
  batchSize: number,
  options: PredictionOptions,
): PhasePeak {
  const { optimizer, accumulate = 1, allGradients = false } = options;
  const sizes = partSizes(batchSize, accumulate);
  const holds = holdsGradients(options);
  const weights = holds ? trainedWeights(compiled, phase) : [];
  const gradients = 4 * sum(weights.map(({ size }) => size));
  const losses = lossBytes(phase);
  const countsLosses = !allGradients && compiled.gradientDelay === undefined;
  const counted = countedParts(compiled, sizes, options);
  const loads = new Map(
    counted.map(({ partSize }) => [
      partSize,
      stepLoad(compiled, phase, { batchSize, partSize, holdsGradients: holds }),
    ]),
  );
  const peaks = counted.map(({ partSize, change, index }) => {
    // Micro-batches are slices of the batch, which stays in memory. Later parts of a plan receive them one after the other.
    const part = sizes.length > 1 && compiled.range[0] === 0 ? imageBytes(compiled, partSize) : 0;
    const earlier = losses * (countsLosses ? index : sizes.length);
    const constant = part + earlier + (change === 'none' ? gradients : 0);
    const load = get(loads, partSize, 'micro-batch');
    const walk = change === 'none' ? {} : { gradients: change === 'wait' ? change : { waited: gradients } };
    const { modules, keptBytes } = modulePeaks(compiled, phase, load, { ...walk, countsLosses });
    return { keptBytes, modules: modules.map((bytes) => (bytes === 0 ? 0 : bytes + constant)) };
  });
  // When all activations have been freed.
  const update = optimizer?.needsWholeStep === true ? gradients + clippingBytes(weights) + sizes.length * losses : 0;
  const modules = compiled.modules.map((_, module) => Math.max(...peaks.map((own) => own.modules[module] ?? 0)));
  const keptBytes = Math.max(...peaks.map((own) => own.keptBytes));
  return {
    keptBytes,
    stepBytes: Math.max(update, ...modules),
    residentBytes: keptBytes + ownBytes(compiled, phase, optimizer),
    modules,
  };
}

/** What clipping needs beside the gradients, where it computes their norm: squares, their sums by rows, and those by gradients. */
function clippingBytes(weights: readonly Pick<Parameter, 'shape' | 'size'>[]): number {
  const temporaries = weights.map(({ shape, size }) => size + (shape.length < 2 ? 0 : size / (shape.at(-1) ?? 1)));
  return 4 * (Math.max(0, ...temporaries) + weights.length);
}

/** A micro-batch, and how the stored gradients change in it: they arrive and wait, wait to be used, or are all there. */
interface CountedPart {
  readonly partSize: number;
  readonly change: 'wait' | 'use' | 'none';
  /** Number of micro-batches whose losses are in memory already. */
  readonly index: number;
}

/** The micro-batches of which one has the highest peak: those with fewer gradients count only if they are larger. */
function countedParts(
  { gradientDelay }: Pick<CompiledPlan, 'gradientDelay'>,
  sizes: readonly number[],
  { optimizer, allGradients = false }: PredictionOptions,
): readonly CountedPart[] {
  const last = sizes.length - 1;
  const needsAll = optimizer?.needsWholeStep === true;
  if (allGradients || gradientDelay !== undefined || (last === 0 && !needsAll)) {
    return [{ partSize: Math.max(...sizes), change: 'none', index: last }];
  }
  const parts = sizes.map((partSize, index): CountedPart => {
    if (index === 0) return { partSize, change: 'wait', index };
    return { partSize, change: index === last && !needsAll ? 'use' : 'none', index };
  });
  const full = Math.max(0, ...parts.filter(({ change }) => change === 'none').map(({ partSize }) => partSize));
  const partial = parts.filter(({ change, partSize }) => change !== 'none' && partSize > full);
  return full === 0 ? partial : [{ partSize: full, change: 'none', index: last }, ...partial];
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

/** Bytes of the input and targets of a batch, and of its images in [0, 1] if a loss reads them. */
export function imageBytes(
  { network, range, reads, createTargets }: Pick<CompiledPlan, 'network' | 'range' | 'reads' | 'createTargets'>,
  batchSize: number,
): number {
  const images = reads.includes('images') ? bytesOf(network.imageShape, batchSize) : 0;
  const targets = createTargets === undefined ? 4 : targetBytesOf(createTargets);
  return bytesOf(shapeBetween(network, range[0] - 1), batchSize) + images + targets * batchSize;
}

const targetBytes = new WeakMap<CreateTargets, number>();

/** Bytes of the targets of a sample, besides its images. */
function targetBytesOf(create: CreateTargets): number {
  const known = targetBytes.get(create);
  if (known !== undefined) return known;
  const { images, ...targets } = create(1);
  const others = Object.values(targets).filter((target) => target !== undefined);
  const bytes = sum(others.map(({ size }) => 4 * size));
  dispose([...others, ...(images === undefined ? [] : [images])]);
  targetBytes.set(create, bytes);
  return bytes;
}

/** Bytes of a parameter with its optimizer state. */
export function residentOf(parameter: Parameter, optimizer: PredictionOptions['optimizer']): number {
  const bytes = 4 * parameter.size;
  if (parameter.kind !== 'weight') return bytes;
  return bytes + (optimizer === undefined ? bytes : stateBytesOf(optimizer, parameter));
}

const withoutState = { stateBytes: () => 0 };

/** Bytes of all parameters in a phase, with the optimizer state that has been created up to it. */
function ownBytes(compiled: Predictable, phase: CompiledPhase, optimizer: PredictionOptions['optimizer']): number {
  const trained = trainedUpTo(compiled, phase);
  const hasState = (parameter: Parameter) => trained === undefined || trained.has(parameter);
  return sum([...compiled.parameters.values()].map((one) => residentOf(one, hasState(one) ? optimizer : withoutState)));
}

/** Weights that have been updated by the end of a phase; undefined where it may be any of the plan's. */
export function trainedUpTo(
  compiled: Pick<CompiledPlan, 'network' | 'plan' | 'phases' | 'range'>,
  phase: CompiledPhase,
): ReadonlySet<Parameter> | undefined {
  const { network, plan, phases, range } = compiled;
  // Losses after a part of a plan train its weights, too.
  const isPart = range[0] > 0 || range[1] < network.modules.length - 1;
  if (isPart || plan.phases?.isInOrder !== true) return undefined;
  const index = phases.findIndex(({ name }) => name === phase.name);
  return new Set(phases.slice(0, index + 1).flatMap((one) => trainedWeights(compiled, one)));
}

/** Bytes of the losses and terms of a micro-batch, which stay until the end of the step. */
function lossBytes({ heads }: CompiledPhase): number {
  return sum([...heads.values()].flat().map(({ head }) => scalarBytesOf(head)));
}

function stepLoad(
  compiled: Predictable,
  phase: CompiledPhase,
  sizes: Pick<DelayedLoad, 'batchSize' | 'partSize' | 'holdsGradients'>,
): DelayedLoad {
  const { partSize } = sizes;
  const modules = compiled.modules.map((block, index) =>
    moduleCostOf(block, at(compiled.moduleBlocks, index, 'module'), partSize),
  );
  const heads = new Map(
    [...phase.heads].map(([module, group]) => [module, group.map((active) => headLoadOf(active, compiled, partSize))]),
  );
  return { modules, heads, shared: phase.shared, ...sizes };
}

function modulePeaks(
  compiled: Predictable,
  phase: CompiledPhase,
  load: DelayedLoad,
  options: BytesOptions,
): Pick<PhasePeak, 'modules' | 'keptBytes'> {
  const { gradientDelay, range } = compiled;
  if (gradientDelay !== undefined) return predictDelayed(compiled, gradientDelay, load);
  return { keptBytes: 0, modules: predictBytes(load, phase.schedule, range[0], options).modules };
}
