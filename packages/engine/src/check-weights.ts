import { LocalgradError } from '@localgrad/core';
import * as tf from '@tensorflow/tfjs';
import type { CompiledPlan } from './compile.js';
import { headPlace } from './heads.js';

/**
 * Checks that all parameters are finite, whether initialized or loaded from a checkpoint or file. One device read-back.
 *
 * @throws LocalgradError `invalid-data` with the parameter's name and owner
 */
export async function checkWeights(compiled: CompiledPlan): Promise<void> {
  const parameters = [...compiled.parameters.values()];
  // Uses sums, which every backend supports: one non-finite value makes the sum non-finite.
  const sums = tf.tidy(() => tf.stack(parameters.map(({ value }) => tf.sum(value))));
  const values = await sums.data();
  sums.dispose();
  const bad = parameters.find((_, index) => !Number.isFinite(values[index]));
  if (bad === undefined) return;
  throw new LocalgradError(
    'invalid-data',
    `'${bad.name}' of ${ownerOf(compiled, bad.name)} contains non-finite values (NaN or infinity).`,
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
