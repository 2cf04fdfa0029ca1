import type { Network, Parameter, ParameterGradient } from '@localgrad/core';
import { currentKernels } from '@localgrad/kernels';
import * as tf from '@tensorflow/tfjs';
import type { ActiveHead } from './phases.js';

/**
 * Weights that receive gradients from several owners in one step: heads may use a live block of the network, or each
 * other's layers. Maps each weight to its number of gradients; 0 if it belongs to a frozen module.
 */
export type SharedWeights = ReadonlyMap<Parameter, number>;

/** @param isTrained whether the phase computes the weight gradients of a module */
export function findSharedWeights(
  { modules }: Network,
  heads: readonly ActiveHead[],
  frozen: ReadonlySet<number>,
  isTrained: (module: number) => boolean,
): SharedWeights {
  const counts = new Map<Parameter, number>();
  for (const { head } of heads) {
    for (const parameter of head.parameters) {
      if (parameter.kind === 'weight') counts.set(parameter, (counts.get(parameter) ?? 0) + 1);
    }
  }
  for (const { index, blocks } of modules) {
    for (const parameter of blocks.flatMap((block) => block.parameters)) {
      const count = counts.get(parameter);
      if (count === undefined) continue;
      // A weight that only heads train is also shared: its module may run after the first of them.
      counts.set(parameter, frozen.has(index) ? 0 : count + (isTrained(index) ? 1 : 0));
    }
  }
  return new Map([...counts].filter(([, count]) => count !== 1));
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
      if (expected === 0) {
        one.gradient.dispose();
        return [];
      }
      const { gradient, count } = this.#add(one);
      if (count < expected) return [];
      this.#waiting.delete(one.parameter);
      return [{ parameter: one.parameter, gradient }];
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
