import { type Network, type Objective, type Optimizer, type ParameterScope, rejectUnknownKeys } from '@localgrad/core';
import type { CreateTargets } from '@localgrad/nn/cost';
import { groupObjectives } from './heads.js';
import { holdsGradients, residentOf } from './prediction.js';
import { type HeadLoad, headLoadOf, scalarBytesOf } from './step-bytes.js';
import { sum } from './sum.js';
import { headWork } from './work.js';

/** Options of `costOfHeads`. */
export interface HeadCostOptions {
  /** Default: an optimizer with one state value per weight. */
  readonly optimizer?: Pick<Optimizer, 'stateBytes' | 'needsWholeStep'> | undefined;
  /** Micro-batches per step. Default 1. */
  readonly accumulate?: number | undefined;
  /** Scope for the heads' weights. */
  readonly scope: ParameterScope;
  /** Creates targets like those of the batches. */
  readonly createTargets?: CreateTargets | undefined;
}

const optionNames = [
  'optimizer',
  'accumulate',
  'scope',
  'createTargets',
] as const satisfies readonly (keyof HeadCostOptions)[];

/** Cost of the heads on one module. */
export interface HeadsCost {
  /** Memory of each head, in the order of their evaluation. */
  readonly loads: readonly HeadLoad[];
  /** Multiply-accumulates per sample, forward and backward. */
  readonly multiplyAccumulates: number;
  /** Bytes that are in memory during the whole step: parameters, optimizer state, losses, and gradients that are stored. */
  readonly fixedBytes: number;
}

/** Builds the heads of objectives that read one module, and predicts their cost. @param batchSize size of a micro-batch */
export function costOfHeads(
  network: Network,
  objectives: readonly Objective[],
  batchSize: number,
  options: HeadCostOptions,
): HeadsCost {
  rejectUnknownKeys('costOfHeads', options, optionNames);
  const { scope, createTargets, ...how } = options;
  const heads = [...groupObjectives(objectives, network, scope).values()].flat();
  const active = heads.map((head) => ({
    ...head,
    objectives: head.objectives.map((objective) => ({ ...objective, start: objective.span[0] })),
  }));
  const own = heads.flatMap(({ head }) => (head === network.backbone.classifier ? [] : [head]));
  const parameters = own.flatMap((head) => [...head.parameters, ...head.statistics, ...(head.state ?? [])]);
  const weights = parameters.filter(({ kind }) => kind === 'weight');
  const held = holdsGradients(how) ? 4 * sum(weights.map(({ size }) => size)) : 0;
  const losses = (how.accumulate ?? 1) * sum(heads.map(({ head }) => scalarBytesOf(head)));
  return {
    loads: active.map((head) => headLoadOf(head, { network, createTargets }, batchSize)),
    multiplyAccumulates: sum(active.map((head) => headWork({ network, createTargets }, head))),
    fixedBytes: held + losses + sum([...new Set(parameters)].map((parameter) => residentOf(parameter, how.optimizer))),
  };
}
