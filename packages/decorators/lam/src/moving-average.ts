import { type Block, LocalgradError, type Parameter } from '@localgrad/core';
import { add, mul, type Tensor, tidy } from '@tensorflow/tfjs';
import type { Twin } from './leap-chain.js';

/** Names of an averaged parameter and of the live one that it follows. */
export interface TwinNames {
  readonly average: string;
  readonly live: string;
}

/** By name, not by object: the same plan may be compiled for several copies of a network. */
export function twinNames({ average, live }: Twin): TwinNames[] {
  return trainable(live).map((parameter, index) => ({
    average: (trainable(average)[index] as Parameter).name,
    live: parameter.name,
  }));
}

/** average ← momentum · average + (1 − momentum) · live, for parameters; running statistics are not averaged. */
export function updateAverages(
  twins: readonly TwinNames[],
  momentum: number,
  parameters: ReadonlyMap<string, Parameter>,
): void {
  for (const twin of twins) {
    const average = parameters.get(twin.average);
    const live = parameters.get(twin.live);
    if (average === undefined || live === undefined) {
      throw new LocalgradError(
        'misuse',
        `lam: the average '${twin.average}' of '${twin.live}' cannot be updated: one of them is not among the step's parameters.`,
        { ...twin },
      );
    }
    average.assign(moved(average.value, live.value, momentum));
  }
}

/** The same for blocks at hand. */
export function updateTwin({ average, live }: Twin, momentum: number): void {
  const source = trainable(live);
  trainable(average).forEach((parameter, index) => {
    parameter.assign(moved(parameter.value, (source[index] as Parameter).value, momentum));
  });
}

function moved(average: Tensor, live: Tensor, momentum: number): Tensor {
  if (momentum === 1) return average;
  if (momentum === 0) return live.clone();
  return tidy(() => add(mul(average, momentum), mul(live, 1 - momentum)));
}

function trainable(block: Block): Parameter[] {
  return block.parameters.filter(({ kind }) => kind !== 'statistic');
}
