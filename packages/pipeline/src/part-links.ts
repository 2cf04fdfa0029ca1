import { get, LocalgradError, type Parameter } from '@localgrad/core';
import type { GradientCrossings } from '@localgrad/engine';
import type { BlockingReceiver, BlockingSender } from './channel.js';
import type { WeightSource } from './followed-weights.js';
import { decodeCotangent, encodeCotangent, encodeWeights, storedTensor } from './message.js';

/** Connections for gradients that cross backward, and for weights that averages of another worker follow. */
export interface PartLinks {
  /** From the worker of the next modules. */
  readonly gradientInput?: BlockingReceiver;
  /** To the worker of the previous modules. */
  readonly gradientOutput?: BlockingSender;
  readonly weightInputs: readonly WeightSource[];
  readonly weightOutputs: readonly WeightTarget[];
}

/** A connection to a worker whose averages follow weights of this one. */
export interface WeightTarget {
  /** Names of the weights. */
  readonly names: readonly string[];
  readonly sender: BlockingSender;
}

/** Nothing crosses but activations and targets. */
export const noLinks: PartLinks = { weightInputs: [], weightOutputs: [] };

export function gradientCrossings({ gradientInput, gradientOutput }: PartLinks): GradientCrossings {
  return {
    send: (cotangent) => required(gradientOutput).send(encodeCotangent(cotangent)),
    receive: () => decodeCotangent(required(gradientInput).receive()),
  };
}

/** Sends weights to the workers whose averages follow them. @param step number of steps so far */
export function sendWeights(
  { weightOutputs }: PartLinks,
  parameters: ReadonlyMap<string, Parameter>,
  step: number,
): void {
  const names = new Set(weightOutputs.flatMap((output) => output.names));
  const values = new Map(
    [...names].map((name) => [name, storedTensor(get(parameters, name, 'weight').value)] as const),
  );
  for (const { names: own, sender } of weightOutputs) {
    const weights = new Map(own.map((name) => [name, get(values, name, 'weight')] as const));
    sender.send(encodeWeights({ step, weights }));
  }
}

function required<Link>(link: Link | undefined): Link {
  if (link === undefined) throw new LocalgradError('misuse', 'A gradient crosses a cut without a connection for it.');
  return link;
}
