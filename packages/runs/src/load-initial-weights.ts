import { type LoadedWeights, loadWeights } from '@localgrad/backbones';
import { LocalgradError, type Network } from '@localgrad/core';
import { type CompiledPlan, startHistories } from '@localgrad/engine';
import { configError } from './config/config-error.js';
import { nonFiniteParameter } from './divergence.js';
import { readInitialWeights } from './identity/run-identity.js';

interface Trained {
  readonly network: Network;
  readonly compiled: CompiledPlan;
}

/** @throws LocalgradError about the key `initialWeights` where its tensors are not finite; `invalid-data` where they do not fit */
export async function loadInitialWeights({ network, compiled }: Trained, file: string): Promise<LoadedWeights> {
  const bytes = await readInitialWeights(file);
  const loaded = inTermsOfWeights(() => loadWeights(network, bytes, file));
  startHistories(compiled.histories);
  const problem = await nonFiniteParameter(compiled.parameters.values());
  if (problem !== null) {
    throw configError('initialWeights', `'${file}' cannot be trained: ${problem}.`, { code: 'invalid-data' });
  }
  return loaded;
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
