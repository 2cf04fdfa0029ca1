import type { Parameter } from '@localgrad/core';
import { currentKernels } from '@localgrad/kernels';
import type { Tensor } from '@tensorflow/tfjs';

/** Adds gradients to `sums`; several blocks may use the same weight. Takes ownership of the gradients. */
export function addGradients(sums: Map<Parameter, Tensor>, gradients: ReadonlyMap<Parameter, Tensor>): void {
  for (const [parameter, gradient] of gradients) {
    const sum = sums.get(parameter);
    sums.set(parameter, sum === undefined ? gradient : currentKernels().accumulate(sum, gradient));
    if (sum !== undefined) gradient.dispose();
  }
}

/** The parameters of several blocks or heads, each once. */
export function parametersOf(owners: readonly { readonly parameters: readonly Parameter[] }[]): readonly Parameter[] {
  return [...new Set(owners.flatMap(({ parameters }) => parameters))];
}

/** The statistics of several blocks or heads, each once. */
export function statisticsOf(owners: readonly { readonly statistics: readonly Parameter[] }[]): readonly Parameter[] {
  return [...new Set(owners.flatMap(({ statistics }) => statistics))];
}
