import type { ParameterScope } from '@localgrad/core';

/** A scope whose weights are frozen: gradients propagate through its blocks, but its weights receive none. */
export function frozenScope(scope: ParameterScope): ParameterScope {
  return {
    prefix: scope.prefix,
    scope: (name) => frozenScope(scope.scope(name)),
    parameter: (name, shape, initializer, kind = 'weight') =>
      scope.parameter(name, shape, initializer, kind === 'weight' ? 'frozen' : kind),
  };
}
