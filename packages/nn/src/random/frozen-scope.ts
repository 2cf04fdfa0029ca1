import type { ParameterScope } from '@localgrad/core';

/** A scope whose weights are frozen: gradients flow through what is built in it, but never into it. */
export function frozenScope(scope: ParameterScope): ParameterScope {
  return {
    prefix: scope.prefix,
    scope: (name) => frozenScope(scope.scope(name)),
    parameter: (name, shape, initializer, kind = 'weight') =>
      scope.parameter(name, shape, initializer, kind === 'weight' ? 'frozen' : kind),
  };
}
