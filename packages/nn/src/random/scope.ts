import { type Initializer, LocalgradError, Parameter, type ParameterKind, type ParameterScope } from '@localgrad/core';
import { tensor } from '@tensorflow/tfjs';
import { createRandom } from './random.js';

/** The root scope of a network; lists every parameter created in it and in nested scopes. */
export interface RootScope extends ParameterScope {
  /** Parameters and statistics by full name, in order of creation. */
  all(): ReadonlyMap<string, Parameter>;
}

/**
 * Creates a root scope. Initial values depend only on `seed` and the parameter's full name, not on the order in which
 * blocks are built or on added heads.
 */
export function createScope(seed: number): RootScope {
  const parameters = new Map<string, Parameter>();
  createRandom(seed);

  const create = (fullName: string, shape: readonly number[], initializer: Initializer, kind?: ParameterKind) => {
    if (parameters.has(fullName)) {
      throw new LocalgradError(
        'misuse',
        `Parameter '${fullName}' already exists; names must be unique within a scope.`,
        {
          parameter: fullName,
        },
      );
    }
    const values = initializer(shape, createRandom(seed, fullName));
    const parameter = new Parameter(fullName, tensor(values, [...shape], 'float32'), kind);
    parameters.set(fullName, parameter);
    return parameter;
  };
  const scopeAt = (prefix: string): ParameterScope => {
    const full = (name: string) => (prefix === '' ? name : `${prefix}.${name}`);
    return {
      prefix,
      scope: (name) => scopeAt(full(name)),
      parameter: (name, shape, initializer, kind) => create(full(name), shape, initializer, kind),
    };
  };
  return { ...scopeAt(''), all: () => parameters };
}
