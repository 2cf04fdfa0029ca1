import { LocalgradError } from '@localgrad/core';
import * as tf from '@tensorflow/tfjs';
import type { CompiledPlan } from './compile.js';
import { headPlace } from './heads.js';

/**
 * Checks that all parameters are finite: initial weights, or those of a checkpoint or a file. Reads back once.
 *
 * @throws LocalgradError `invalid-data` that names the parameter and its owner
 */
export async function checkWeights(compiled: CompiledPlan): Promise<void> {
  const parameters = [...compiled.parameters.values()];
  const flags = tf.tidy(() => tf.stack(parameters.map(({ value }) => tf.all(tf.isFinite(value)))));
  const values = await flags.data();
  flags.dispose();
  const bad = parameters.find((_, index) => values[index] === 0);
  if (bad === undefined) return;
  throw new LocalgradError(
    'invalid-data',
    `'${bad.name}' of ${ownerOf(compiled, bad.name)} has values that are not finite (NaN or infinite).`,
    { parameter: bad.name },
  );
}

function ownerOf({ network, heads }: CompiledPlan, name: string): string {
  const owns = (parameters: readonly { readonly name: string }[]) => parameters.some((one) => one.name === name);
  const head = [...heads.values()].flat().find((one) => owns([...one.head.parameters, ...one.head.statistics]));
  if (head !== undefined) return headPlace(head, network);
  const module = network.modules.find(({ blocks }) =>
    blocks.some((block) => owns([...block.parameters, ...block.statistics])),
  );
  return module === undefined ? 'the plan' : `module ${module.index} ${module.name}`;
}
