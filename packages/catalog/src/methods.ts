import { backprop } from '@localgrad/backprop';
import {
  type JsonObject,
  type JsonValue,
  LocalgradError,
  type LocalLearningMethod,
  parseMethodExpression,
  unknownName,
} from '@localgrad/core';
import { type DglOptions, dgl } from '@localgrad/dgl';
import { greedy } from '@localgrad/greedy';
import { type InfoProOptions, infopro } from '@localgrad/infopro';
import { type LamOptions, lam } from '@localgrad/lam';
import { type MlaanOptions, mlaan } from '@localgrad/mlaan';
import { type MlmOptions, mlm } from '@localgrad/mlm';
import { isPackageName, loadMethodPackage } from './method-package.js';

/** Makes a method from the options of its expression or config. */
export type MethodFactory = (options: JsonObject) => LocalLearningMethod;

/** Wraps a method. */
export type DecoratorFactory = (of: LocalLearningMethod, options: JsonObject) => LocalLearningMethod;

const methods: Readonly<Record<string, MethodFactory>> = {
  backprop: withoutOptions('backprop', backprop),
  greedy: withoutOptions('greedy', greedy),
  dgl: (options) => dgl(options as DglOptions),
  infopro: (options) => infopro(options as InfoProOptions),
};

const decorators: Readonly<Record<string, DecoratorFactory>> = {
  mlm: (of, options) => mlm(of, options as MlmOptions),
  lam: (of, options) => lam(of, options as LamOptions),
  mlaan: (of, options) => mlaan(of, options as MlaanOptions),
};

export const methodNames: readonly string[] = Object.keys(methods);
export const decoratorNames: readonly string[] = Object.keys(decorators);

/** A method by name, ready to be made: what expressions and configs have in common. */
interface MethodRequest {
  readonly name: string;
  readonly of?: MethodRequest;
  readonly options: JsonObject;
}

/**
 * A method from its expression: `dgl`, `dgl(head: 1c2f)`, `lam(mlm(dgl, window: 3))`. Names with `-`, `/` or `.` are npm
 * packages or files of the user's project: `mlm(acme-localgrad-own)`, `./own-method.mjs`.
 *
 * @throws LocalgradError `unknown-name`, `invalid-option`, `missing-dependency`
 */
export async function createMethod(text: string): Promise<LocalLearningMethod> {
  return create(parseMethodExpression(text));
}

/**
 * A method from its config: `{ method: 'dgl', head: '1c2f' }`, `{ decorator: 'mlm', of: { method: 'dgl' }, window: 3 }`.
 * Unlike expressions, configs hold options that are lists, such as leap chains of one's own.
 *
 * @throws LocalgradError `unknown-name`, `invalid-option`, `missing-dependency`
 */
export async function methodFromConfig(config: JsonObject): Promise<LocalLearningMethod> {
  return create(requestOf(config));
}

function requestOf(config: JsonValue | undefined): MethodRequest {
  if (typeof config !== 'object' || config === null || Array.isArray(config)) throw wrongConfig(config);
  const { method, decorator, of, ...options } = config as JsonObject;
  if (typeof method === 'string' && decorator === undefined && of === undefined) return { name: method, options };
  if (typeof decorator === 'string' && method === undefined) {
    return { name: decorator, of: requestOf(of), options };
  }
  throw wrongConfig(config);
}

function wrongConfig(config: JsonValue | undefined): LocalgradError {
  return new LocalgradError(
    'invalid-option',
    `${JSON.stringify(config)} is no method's config; allowed: { method: name, …options } and { decorator: name, of: config, …options }.`,
    { config },
  );
}

async function create({ name, of, options }: MethodRequest): Promise<LocalLearningMethod> {
  if (of === undefined) return (await findMethod(name))(options);
  const decorate = await findDecorator(name, of.name);
  return decorate(await create(of), options);
}

async function findMethod(name: string): Promise<MethodFactory> {
  const known = own(methods, name);
  if (known !== undefined) return known;
  if (own(decorators, name) !== undefined) throw needsMethod(name);
  if (!isPackageName(name)) throw unknown(name);
  const { method } = await loadMethodPackage(name);
  if (method === undefined) throw needsMethod(name);
  return method;
}

async function findDecorator(name: string, of: string): Promise<DecoratorFactory> {
  const known = own(decorators, name);
  if (known !== undefined) return known;
  const isMethod = own(methods, name) !== undefined;
  if (!isMethod && !isPackageName(name)) throw unknown(name);
  const decorator = isMethod ? undefined : (await loadMethodPackage(name)).decorator;
  if (decorator !== undefined) return decorator;
  throw new LocalgradError(
    'invalid-option',
    `Method '${name}' wraps no other method, but '${of}' was given; those that do: ${decoratorNames.join(', ')}.`,
    { name, of, decorators: decoratorNames },
  );
}

function needsMethod(name: string): LocalgradError {
  return new LocalgradError(
    'invalid-option',
    `Method '${name}' wraps another one, but none was given; write ${name}(dgl), for instance. Methods: ${methodNames.join(', ')}.`,
    { name, methods: methodNames },
  );
}

function unknown(name: string): LocalgradError {
  const names = [...methodNames, ...decoratorNames.map((decorator) => `${decorator}(…)`)];
  const error = unknownName('method', name, [...methodNames, ...decoratorNames]);
  const [start] = error.message.split(' Allowed: ');
  return new LocalgradError(
    'unknown-name',
    `${start} Allowed: ${names.join(', ')}, and packages of your project by name (acme-localgrad-own).`,
    error.details,
  );
}

function own<Value>(record: Readonly<Record<string, Value>>, name: string): Value | undefined {
  return Object.hasOwn(record, name) ? record[name] : undefined;
}

function withoutOptions(name: string, make: () => LocalLearningMethod): MethodFactory {
  return (options) => {
    const [key] = Object.keys(options);
    if (key !== undefined) {
      throw new LocalgradError('unknown-name', `Method '${name}' has no options, but '${key}' was given.`, {
        name,
        key,
      });
    }
    return make();
  };
}
