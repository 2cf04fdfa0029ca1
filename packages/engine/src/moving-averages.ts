import { LocalgradError, type MovingAverage, type Network, type Parameter, sameShape } from '@localgrad/core';
import * as tf from '@tensorflow/tfjs';
import { type CompiledHead, headPlace } from './heads.js';

/** A moving average with the averaged parameter. */
export interface HeadAverage extends Omit<MovingAverage, 'live'> {
  /** Key of the head that owns it; the average is updated in steps that evaluate this head. */
  readonly head: string;
  readonly live: Parameter;
}

/**
 * Resolves the averaged parameters by name.
 *
 * @throws LocalgradError `invalid-plan` for unknown parameters, and for `beforeUpdate` averages of weights that may
 *   already be updated when the head is evaluated
 */
export function resolveAverages(
  network: Network,
  heads: readonly CompiledHead[],
  parameters: ReadonlyMap<string, Parameter>,
): HeadAverage[] {
  return heads.flatMap((compiled) =>
    (compiled.head.averages ?? []).map(({ average, live: name, momentum, when }) => {
      const fail = (problem: string): never => {
        throw new LocalgradError(
          'invalid-plan',
          `The ${headPlace(compiled, network)} has a moving average '${average.name}' of '${name}', ${problem}.`,
          { head: compiled.key, average: average.name, live: name },
        );
      };
      const live = parameters.get(name) ?? fail('which is not a parameter of the network or its heads');
      if (!sameShape(live.shape, average.shape)) fail('which has a different shape');
      if (when === 'beforeUpdate' && earlierModules(network, compiled.module).has(live)) {
        fail("which belongs to an earlier module: 'beforeUpdate' needs parameters of the head's own or a later module");
      }
      return { head: compiled.key, average, live, momentum, when };
    }),
  );
}

function earlierModules({ modules }: Network, module: number): Set<Parameter> {
  return new Set(modules.slice(0, module).flatMap(({ blocks }) => blocks.flatMap((block) => block.parameters)));
}

/** average ← momentum · average + (1 − momentum) · live */
export function moveAverages(averages: readonly HeadAverage[]): void {
  for (const { average, live, momentum } of averages) {
    if (momentum === 1) continue;
    average.assign(
      momentum === 0
        ? live.value.clone()
        : tf.tidy(() => tf.add(tf.mul(average.value, momentum), tf.mul(live.value, 1 - momentum))),
    );
  }
}
