import type { CompiledPlan } from './compile.js';
import type { CompiledPhase } from './phases.js';
import { trainedWeights } from './prediction.js';

/** The parts of a network that keep their initial weights. */
export interface UntrainedParts {
  /** Indices of modules of which no weight is trained. */
  readonly modules: readonly number[];
  /** Whether the network's own classifier is one of them. */
  readonly classifier: boolean;
}

/**
 * The parts of a network with weights that no phase trains. They may be pretrained or random on purpose, so they are no error.
 *
 * @param phases those that occur in a run. Default: all
 */
export function untrainedParts(
  compiled: Pick<CompiledPlan, 'network' | 'phases'>,
  phases: readonly CompiledPhase[] = compiled.phases,
): UntrainedParts {
  const { modules, backbone } = compiled.network;
  const trained = new Set(phases.flatMap((phase) => trainedWeights(compiled, phase)));
  const isUntrained = (owners: readonly Pick<typeof backbone.classifier, 'parameters'>[]) => {
    const weights = owners.flatMap(({ parameters }) => parameters).filter(({ kind }) => kind === 'weight');
    return weights.length > 0 && !weights.some((weight) => trained.has(weight));
  };
  return {
    modules: modules.filter(({ blocks }) => isUntrained(blocks)).map(({ index }) => index),
    classifier: isUntrained([backbone.classifier]),
  };
}
