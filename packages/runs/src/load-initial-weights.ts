import { type LoadedWeights, type LoadWeightsOptions, loadWeights } from '@localgrad/backbones';
import { LocalgradError, type Network, type Parameter } from '@localgrad/core';
import { configError } from './config/config-error.js';
import type { RunConfig } from './config/run-config.js';
import { nonFiniteParameter } from './divergence.js';
import { readInitialWeights } from './identity/run-identity.js';

/**
 * Loads the weights of a network. Call it before the method plans: chains and averages start as copies of the network's blocks.
 *
 * @param parameters those of the network
 * @throws LocalgradError about the key `initialWeights` where its tensors are not finite; `invalid-data` where they do not fit
 */
export async function loadInitialWeights(
  network: Network,
  parameters: Iterable<Parameter>,
  file: string,
  options: LoadWeightsOptions = {},
): Promise<LoadedWeights> {
  const bytes = await readInitialWeights(file);
  const loaded = inTermsOfWeights(() => loadWeights(network, bytes, file, options));
  const problem = await nonFiniteParameter(parameters);
  if (problem !== null) {
    throw configError('initialWeights', `'${file}' cannot be trained: ${problem}.`, { code: 'invalid-data' });
  }
  return loaded;
}

/** @throws LocalgradError about the key `initialPart` without weights */
export function checkInitialPart({
  initialWeights,
  initialPart,
}: Pick<RunConfig, 'initialWeights' | 'initialPart'>): void {
  if (initialPart === undefined || initialWeights !== undefined) return;
  throw configError('initialPart', 'it says what initialWeights contains, which is not set; name a file there.');
}

/** Errors about a weights file as errors about its config key. */
function inTermsOfWeights<Result>(act: () => Result): Result {
  try {
    return act();
  } catch (cause) {
    if (!LocalgradError.isInstance(cause)) throw cause;
    throw configError('initialWeights', cause.message, { code: cause.code, cause });
  }
}
