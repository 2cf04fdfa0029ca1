import type { Network, Parameter, ParameterGradient } from '@localgrad/core';
import { currentKernels } from '@localgrad/kernels';
import * as tf from '@tensorflow/tfjs';
import type { ActiveHead } from './phases.js';

/** How the gradients of a shared weight are combined. */
export interface SharedWeight {
  /** Number of gradients per step; 0 if the weight belongs to a frozen module. */
  readonly gradients: number;
  /** Factor on their sum. */
  readonly scale: number;
}

/**
 * Weights that receive gradients from several owners in one step: heads may use a live block of the network, or each
 * other's layers, and blocks of several modules may have a weight in common.
 */
export type SharedWeights = ReadonlyMap<Parameter, SharedWeight>;

/** @param isTrained whether the phase computes the weight gradients of a module */
export function findSharedWeights(
  { modules }: Network,
  heads: readonly ActiveHead[],
  frozen: ReadonlySet<number>,
  isTrained: (module: number) => boolean,
): SharedWeights {
  const counts = new Map<Parameter, number>();
  const means = new Set<Parameter>();
  for (const { head, objectives } of heads) {
    const isMean = objectives.some((objective) => objective.head.shares?.scale === 'mean');
    for (const parameter of head.parameters) {
      if (parameter.kind !== 'weight') continue;
      counts.set(parameter, (counts.get(parameter) ?? 0) + 1);
      if (isMean) means.add(parameter);
    }
  }
  for (const [parameter, users] of usersOf(modules)) {
    const count = counts.get(parameter);
    if (count === undefined && users.length === 1) continue;
    // A weight that only heads train is also shared: its module may run after the first of them.
    const isFrozen = users.some((module) => frozen.has(module));
    counts.set(parameter, isFrozen ? 0 : (count ?? 0) + users.filter(isTrained).length);
  }
  return new Map(
    [...counts].flatMap(([parameter, gradients]): [Parameter, SharedWeight][] =>
      gradients === 1 ? [] : [[parameter, { gradients, scale: means.has(parameter) ? 1 / gradients : 1 }]],
    ),
  );
}

/** The modules of each weight. Blocks of one module add up the gradients of their common weights. */
function usersOf(modules: Network['modules']): ReadonlyMap<Parameter, readonly number[]> {
  const users = new Map<Parameter, number[]>();
  for (const { index, blocks } of modules) {
    for (const parameter of new Set(blocks.flatMap((block) => block.parameters))) {
      if (parameter.kind === 'weight') users.set(parameter, [...(users.get(parameter) ?? []), index]);
    }
  }
  return users;
}

/** Accumulates the gradients of shared weights until all owners have contributed. */
export class SharedGradients {
  readonly #shared: SharedWeights;
  readonly #waiting = new Map<Parameter, { readonly gradient: tf.Tensor; readonly count: number }>();

  constructor(shared: SharedWeights) {
    this.#shared = shared;
  }

  /** Returns the completed gradients. Takes and returns ownership. */
  complete(gradients: readonly ParameterGradient[]): ParameterGradient[] {
    if (this.#shared.size === 0) return [...gradients];
    return gradients.flatMap((one) => {
      const expected = this.#shared.get(one.parameter);
      if (expected === undefined) return [one];
      if (expected.gradients === 0) {
        one.gradient.dispose();
        return [];
      }
      const { gradient, count } = this.#add(one);
      if (count < expected.gradients) return [];
      this.#waiting.delete(one.parameter);
      return [{ parameter: one.parameter, gradient: scaled(gradient, expected.scale) }];
    });
  }

  #add({ parameter, gradient }: ParameterGradient): { readonly gradient: tf.Tensor; readonly count: number } {
    const waiting = this.#waiting.get(parameter);
    const next =
      waiting === undefined
        ? { gradient, count: 1 }
        : { gradient: tf.keep(currentKernels().accumulate(waiting.gradient, gradient)), count: waiting.count + 1 };
    if (waiting !== undefined) gradient.dispose();
    this.#waiting.set(parameter, next);
    return next;
  }
}

/** Takes and returns ownership. */
export function scaled(gradient: tf.Tensor, scale: number): tf.Tensor {
  if (scale === 1) return gradient;
  const result = tf.keep(tf.mul(gradient, scale));
  gradient.dispose();
  return result;
}
