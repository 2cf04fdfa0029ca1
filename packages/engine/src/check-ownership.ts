import {
  formatReference,
  type HeadReference,
  LocalgradError,
  type Network,
  type Parameter,
  type TrainingPlan,
} from '@localgrad/core';
import { type CompiledHead, headPlace } from './heads.js';

/** Owner of a weight, in words, and how another head declares that it uses the weight. */
interface Owner {
  readonly name: string;
  readonly declaration: string;
  /** Whether a head with this reference declares it. */
  isDeclared(reference: HeadReference): boolean;
}

/**
 * Rejects heads that train a weight of the network or of another head without declaring it: the gradient would leave the
 * span of its loss. @throws LocalgradError `invalid-plan`
 */
export function checkOwnership(network: Network, { method }: TrainingPlan, heads: readonly CompiledHead[]): void {
  const owners = ownersOf(network);
  for (const compiled of heads) {
    const reference = compiled.objectives[0]?.head;
    if (reference?.factory === undefined) continue;
    for (const parameter of compiled.head.parameters) {
      if (parameter.kind !== 'weight') continue;
      const owner = owners.get(parameter);
      if (owner === undefined) owners.set(parameter, headOwner(compiled, reference, network));
      else if (!owner.isDeclared(reference)) {
        const { head, key, module } = compiled;
        throw new LocalgradError(
          'invalid-plan',
          `Plan of '${method}': ${headPlace(compiled, network)} trains '${parameter.name}', which belongs to ${owner.name}. ` +
            `Create the head's weights in the scope passed to 'build'; ${owner.declaration}.`,
          { head: head.name, key, module, parameter: parameter.name },
        );
      }
    }
  }
}

/** Owners of the network's weights. */
function ownersOf({ modules, backbone: { classifier } }: Network): Map<Parameter, Owner> {
  const owners = new Map<Parameter, Owner>();
  const final: Owner = {
    name: "the network's classifier",
    declaration: "only objectives with the head 'classifier' train it",
    isDeclared: () => false,
  };
  for (const parameter of classifier.parameters) owners.set(parameter, final);
  for (const { index, members } of modules) {
    for (const { reference, block } of members) {
      const place = formatReference(reference);
      const owner: Owner = {
        name: `block '${block.name}' ${place} of module ${index}`,
        declaration: "a head that uses a live block lists it as 'live' in 'borrows' of its factory",
        isDeclared: ({ factory }) =>
          (factory?.borrows ?? []).some((one) => one.as.includes('live') && formatReference(one.reference) === place),
      };
      for (const parameter of block.parameters) owners.set(parameter, owner);
    }
  }
  return owners;
}

function headOwner(compiled: CompiledHead, { shares }: HeadReference, network: Network): Owner {
  return {
    name: `the ${headPlace(compiled, network)}`,
    declaration: "heads with common weights need equal keys in 'shares' of their references",
    isDeclared: (other) => shares !== undefined && other.shares?.key === shares.key,
  };
}
