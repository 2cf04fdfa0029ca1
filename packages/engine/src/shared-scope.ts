import { formatShape, LocalgradError, type Parameter, type ParameterScope, sameShape } from '@localgrad/core';

/**
 * A scope for one of several heads with common weights. Weights and frozen parameters are created once, under the common
 * prefix; statistics and state are created for each head, under its own.
 *
 * @param known the common parameters so far, by name
 */
export function sharedScope(
  common: ParameterScope,
  own: ParameterScope,
  known: Map<string, Parameter>,
): ParameterScope {
  return {
    prefix: common.prefix,
    scope: (name) => sharedScope(common.scope(name), own.scope(name), known),
    parameter(name, shape, initializer, kind = 'weight') {
      if (kind === 'statistic' || kind === 'state') return own.parameter(name, shape, initializer, kind);
      const full = `${common.prefix}.${name}`;
      const found = known.get(full);
      if (found === undefined) {
        const created = common.parameter(name, shape, initializer, kind);
        known.set(full, created);
        return created;
      }
      if (sameShape(found.shape, shape)) return found;
      throw new LocalgradError(
        'shape-mismatch',
        `Parameter '${full}' is shared by heads that need different shapes: ${formatShape(found.shape)} and ${formatShape(shape)}.`,
        { parameter: full, shapes: [found.shape, shape] },
      );
    },
  };
}
