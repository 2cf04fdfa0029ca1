import { Parameter, type ParameterScope } from '@localgrad/core';
import { zeros } from '@tensorflow/tfjs';

/** A scope whose parameters are zero. */
export function blankScope(prefix: string, created: Parameter[]): ParameterScope {
  const full = (name: string) => (prefix === '' ? name : `${prefix}.${name}`);
  return {
    prefix,
    scope: (name) => blankScope(full(name), created),
    parameter(name, shape, _initializer, kind) {
      const parameter = new Parameter(full(name), zeros([...shape]), kind);
      created.push(parameter);
      return parameter;
    },
  };
}
