import { LocalgradError } from './errors.js';
import type { JsonObject } from './json.js';
import { faultOfMembers } from './members.js';
import type { LocalLearningMethod } from './method.js';
import type { Network } from './network.js';

/** Names under which a decorator is used, for its errors. */
export interface DecoratorName {
  /** In errors about options. */
  readonly decorator: string;
  /** The decorated method, in errors of its plan. */
  readonly method: string;
  /** Options that users can set, for advice in errors; absent: all. */
  readonly options?: readonly string[];
}

/**
 * The names of a decorator around a host method: `mlm(dgl)`.
 *
 * @throws LocalgradError `misuse` unless the host is a method, e.g. for a factory that was not called
 */
export function decoratedName(decorator: string, of: LocalLearningMethod): DecoratorName {
  const fault = faultOfMembers(of, { name: 'string', config: 'object', plan: 'function' });
  if (fault === undefined) return { decorator, method: `${decorator}(${of.name})` };
  const given: unknown = of;
  const cure =
    typeof given === 'function'
      ? `call it: ${given.name || 'method'}()`
      : 'pass a method, such as dgl() of @localgrad/dgl';
  throw new LocalgradError('misuse', `${decorator}: the method to decorate ${fault}; ${cure}.`, { decorator });
}

/** A decorator that consists of other decorators. */
export interface ComposedDecorator {
  /** Its name in method expressions. */
  readonly decorator: string;
  /** The host method. */
  readonly of: LocalLearningMethod;
  /** Options as given, for the config of the method. */
  readonly options: object;
}

/**
 * A method that other decorators make of a host, under a name of its own: in its plans, and in errors of these decorators,
 * which receive it.
 *
 * @param build applies the decorators, with the name for their errors; called without a network first, to check options
 * @throws what `build` throws
 */
export function composedDecorator(
  { decorator, of, options }: ComposedDecorator,
  build: (name: DecoratorName, network?: Network) => LocalLearningMethod,
): LocalLearningMethod {
  const used = decoratedName(decorator, of);
  const name = used.method;
  build(used);
  return {
    specVersion: 'v1',
    name,
    config: { decorator, of: of.config, ...(structuredClone(options) as JsonObject) },
    plan: (network) => ({ ...build(used, network).plan(network), method: name }),
  };
}
