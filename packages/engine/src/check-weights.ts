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
  // Sums, because every backend has them; one value that is not finite makes its sum so.
  const sums = tf.tidy(() => tf.stack(parameters.map(({ value }) => tf.sum(value))));
  const values = await sums.data();
  sums.dispose();
  const bad = parameters.find((_, index) => !Number.isFinite(values[index]));
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
