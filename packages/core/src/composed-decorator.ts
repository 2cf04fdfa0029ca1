import { LocalgradError } from './errors.js';
import type { JsonObject } from './json.js';
import type { LocalLearningMethod } from './method.js';
import type { Network } from './network.js';

/** A decorator that consists of other decorators. */
export interface ComposedDecorator {
  /** Its name in method expressions. */
  readonly decorator: string;
  /** Names of the decorators that it applies. */
  readonly parts: readonly string[];
  /** The host method. */
  readonly of: LocalLearningMethod;
  /** Options as given, for the config of the method. */
  readonly options: object;
}

/**
 * A method that other decorators make of a host, under a name of its own: in its plans, and in errors of these decorators.
 * Errors of the host keep their names.
 *
 * @param build applies the decorators; called without a network first, to check options
 * @throws what `build` throws
 */
export function composedDecorator(
  { decorator, parts, of, options }: ComposedDecorator,
  build: (host: LocalLearningMethod, network?: Network) => LocalLearningMethod,
): LocalLearningMethod {
  const name = `${decorator}(${of.name})`;
  const ofHost = new WeakSet<object>();
  const host: LocalLearningMethod = {
    ...of,
    plan: (network) => {
      try {
        return of.plan(network);
      } catch (error) {
        if (error instanceof Error) ofHost.add(error);
        throw error;
      }
    },
  };
  const inOwnName = <Result>(act: () => Result): Result => {
    try {
      return act();
    } catch (error) {
      if (!LocalgradError.isInstance(error) || ofHost.has(error)) throw error;
      throw renamed(error, { decorator, parts, host: of.name });
    }
  };
  inOwnName(() => build(host));
  return {
    specVersion: 'v1',
    name,
    config: { decorator, of: of.config, ...(structuredClone(options) as JsonObject) },
    plan: (network) => inOwnName(() => ({ ...build(host, network).plan(network), method: name })),
  };
}

interface Renaming {
  readonly decorator: string;
  readonly parts: readonly string[];
  readonly host: string;
}

/** `lam(mlm(dgl)): …` → `mlaan(dgl): …`, and `lam: option …` → `mlaan: option …` */
function renamed(error: LocalgradError, { decorator, parts, host }: Renaming): LocalgradError {
  const part = parts.find((one) => error.message.startsWith(`${one}:`) || error.message.startsWith(`${one}(`));
  if (part === undefined) return error;
  const end = error.message.indexOf(`${host})`);
  const isMethod = error.message.startsWith(`${part}(`) && end >= 0;
  const rest = isMethod ? error.message.slice(end + host.length).replace(/^\)+/, '') : error.message.slice(part.length);
  const own = isMethod ? `${decorator}(${host})` : decorator;
  const { where, method } = error.details;
  const details = {
    ...error.details,
    ...(where === part ? { where: decorator } : {}),
    ...(method === undefined ? {} : { method: `${decorator}(${host})` }),
  };
  return new LocalgradError(error.code, `${own}${rest}`, details, { cause: error });
}
