import { LocalgradError, type ParameterScope } from '@localgrad/core';
import type { StoredTensor } from '@localgrad/nn/serialization';

/** Number of values by which a network may exceed a file; smaller differences are reported per tensor later. */
const slack = 1_000_000;

/**
 * A scope that limits the parameters to the number of values in a file, so that a network from an untrusted description
 * is not built if it is larger than the file's tensors.
 *
 * @throws LocalgradError `shape-mismatch` in `parameter`
 */
export function boundedScope(
  scope: ParameterScope,
  stored: ReadonlyMap<string, StoredTensor>,
  where: string,
): ParameterScope {
  const available = [...stored.values()].reduce((sum, { data }) => sum + data.length, 0);
  let values = 0;
  const bounded = (inner: ParameterScope): ParameterScope => ({
    prefix: inner.prefix,
    scope: (name) => bounded(inner.scope(name)),
    parameter(name, shape, initializer, kind) {
      values += shape.reduce((product, extent) => product * extent, 1);
      if (values > available + slack) {
        throw new LocalgradError(
          'shape-mismatch',
          `${where}: its description does not match its tensors: the network has more than ${available.toLocaleString('en-US')} weights, which is all that the file contains (up to '${inner.prefix}.${name}' of shape [${shape.join(', ')}]).`,
          { where, available },
        );
      }
      return inner.parameter(name, shape, initializer, kind);
    },
  });
  return bounded(scope);
}
