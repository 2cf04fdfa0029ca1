import {
  type Initializer,
  LocalgradError,
  memberOf,
  Parameter,
  type ParameterKind,
  type ParameterScope,
  rejectUnknownKeys,
  shown,
} from '@localgrad/core';
import { Tensor, tensor } from '@tensorflow/tfjs';
import { createRandom } from './random.js';

const shownShape = (shape: unknown) => (Array.isArray(shape) ? `[${shape.map(String).join(', ')}]` : String(shape));

/** The root scope of a network; lists every parameter created in it and in nested scopes. */
export interface RootScope extends ParameterScope {
  /** Parameters and statistics by full name, in order of creation. */
  all(): ReadonlyMap<string, Parameter>;
}

/** Options of `createScope`. */
export interface ScopeOptions {
  /** Largest number of values of all parameters together; default unlimited. */
  readonly mostValues?: number;
  /** Leave all values 0, for descriptions that compute nothing: saves the time of sampling. Default false. */
  readonly zeros?: boolean;
}

/**
 * Creates a root scope. Initial values depend only on `seed` and the parameter's full name, not on the order in which
 * blocks are built or on added heads.
 *
 * @throws LocalgradError `invalid-option` from `parameter`, before the value that exceeds `mostValues` is allocated
 */
export function createScope(seed: number, options: ScopeOptions = {}): RootScope {
  rejectUnknownKeys('createScope', options, ['mostValues', 'zeros']);
  const { mostValues = Number.POSITIVE_INFINITY, zeros = false } = options;
  const parameters = new Map<string, Parameter>();
  let count = 0;
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
    // E.g. the channels of features that have none. TensorFlow.js would report a type that it cannot infer.
    if (!Array.isArray(shape) || !shape.every((extent) => Number.isInteger(extent) && extent >= 0)) {
      throw new LocalgradError(
        'misuse',
        `Parameter '${fullName}' has shape ${shownShape(shape)}; allowed: a list of integers ≥ 0.`,
        { parameter: fullName, shape },
      );
    }
    // The same error in plans that sample no values: a forgotten initializer must not wait for training.
    if (typeof initializer !== 'function') {
      throw new LocalgradError(
        'misuse',
        `Parameter '${fullName}' has no initializer: the third argument of scope.parameter must be a function from shape and random generator to values, such as uniformFanIn(…), zeros or ones of @localgrad/nn/random.`,
        { parameter: fullName },
      );
    }
    const size = shape.reduce((product, extent) => product * extent, 1);
    count += size;
    if (count > mostValues) {
      throw new LocalgradError(
        'invalid-option',
        `The network has more than ${mostValues.toLocaleString('en-US')} weights, the limit (reached at '${fullName}' of shape [${shape.join(', ')}]). Choose a smaller width, fewer layers or a smaller head.`,
        { parameter: fullName, mostValues },
      );
    }
    const values = zeros ? new Float32Array(size) : initializer(shape, createRandom(seed, fullName));
    requireValues(fullName, values, shape, size);
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

/** @throws LocalgradError `misuse` unless an initializer returned one value for each entry of the parameter */
function requireValues(name: string, values: unknown, shape: readonly number[], size: number): void {
  const isList = Array.isArray(values) || ArrayBuffer.isView(values);
  const length = isList ? memberOf(values, 'length') : undefined;
  if (length === size) return;
  const given = values instanceof Tensor ? 'a tensor' : isList ? `${String(length)} values` : shown(values);
  throw new LocalgradError(
    'misuse',
    `The initializer of parameter '${name}' returned ${given}; allowed: a Float32Array of ${size} values, one for each entry of shape ${shownShape(shape)}.`,
    { parameter: name, shape },
  );
}
