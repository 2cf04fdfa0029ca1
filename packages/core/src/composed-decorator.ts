import type { JsonObject } from './json.js';
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
  const name = `${decorator}(${of.name})`;
  const used = { decorator, method: name };
  build(used);
  return {
    specVersion: 'v1',
    name,
    config: { decorator, of: of.config, ...(structuredClone(options) as JsonObject) },
    plan: (network) => ({ ...build(used, network).plan(network), method: name }),
  };
}
