import { type Initializer, LocalgradError, Parameter, type ParameterKind, type ParameterScope } from '@localgrad/core';
import { tensor } from '@tensorflow/tfjs';
import { createRandom } from './random.js';

/** The root of a network's names: a scope that knows every parameter made in it and below it. */
export interface RootScope extends ParameterScope {
  /** Parameters and statistics by full name, in order of creation. */
  all(): ReadonlyMap<string, Parameter>;
}

/**
 * A root for parameters. Start values depend on `seed` and the parameter's full name alone, so the order in which
 * blocks are built, and heads that are added, change nothing for the others.
 */
export function createScope(seed: number): RootScope {
  const parameters = new Map<string, Parameter>();
  createRandom(seed);

  const create = (fullName: string, shape: readonly number[], initializer: Initializer, kind?: ParameterKind) => {
    if (parameters.has(fullName)) {
      throw new LocalgradError('misuse', `Parameter '${fullName}' exists already; names must differ within a scope.`, {
        parameter: fullName,
      });
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
