import type { Optimizer } from '@localgrad/core';
import { type CompiledPlan, describeRules } from '@localgrad/engine';

const mostParts = 12;
/** Scope of the heads' weights. */
const headScope = 'heads.';

/**
 * Warnings about rules of an optimizer that apply to no weight of a run. Rules for heads are as they should be where there are no
 * heads: one optimizer serves all methods of a sweep.
 */
export function ruleNotices(compiled: CompiledPlan, optimizer: Optimizer): string[] {
  const names = [...compiled.parameters.values()].filter(({ kind }) => kind === 'weight').map(({ name }) => name);
  const hasHeads = names.some((name) => name.startsWith(headScope));
  return describeRules(compiled, optimizer)
    .filter(({ tensors }) => tensors === 0)
    .filter(({ match }) => hasHeads || !match.startsWith(headScope))
    .map(
      ({ match }) =>
        `The optimizer's rule '${match}' matches no weight and has no effect. ` +
        `Names of weights start with ${parts(names, 0)} and end with ${parts(names, -1)}.`,
    );
}

/** The different first or last parts of names, in order. */
function parts(names: readonly string[], index: 0 | -1): string {
  const different = [...new Set(names.map((name) => name.split('.').at(index) ?? name))];
  return [...different.slice(0, mostParts), ...(different.length > mostParts ? ['…'] : [])].join(', ');
}
