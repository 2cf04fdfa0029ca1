import { backprop } from '@localgrad/backprop';
import {
  LocalgradError,
  type LocalLearningMethod,
  type MethodExpression,
  type OptionValue,
  parseMethodExpression,
  unknownName,
} from '@localgrad/core';
import { type DglOptions, dgl } from '@localgrad/dgl';
import { greedy } from '@localgrad/greedy';
import { type InfoProOptions, infopro } from '@localgrad/infopro';
import { type LamOptions, lam } from '@localgrad/lam';
import { type MlaanOptions, mlaan } from '@localgrad/mlaan';
import { type MlmOptions, mlm } from '@localgrad/mlm';

type Options = Readonly<Record<string, OptionValue>>;

/** Makes a method from the options of its expression. */
type MethodFactory = (options: Options) => LocalLearningMethod;

/** Wraps a method. */
type DecoratorFactory = (of: LocalLearningMethod, options: Options) => LocalLearningMethod;

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

/**
 * A method from its expression: `dgl`, `dgl(head: 1c2f)`, `lam(mlm(dgl, window: 3))`.
 *
 * @throws LocalgradError `unknown-name`, `invalid-option`
 */
export function createMethod(text: string): LocalLearningMethod {
  return fromExpression(parseMethodExpression(text));
}

function fromExpression({ name, of, options }: MethodExpression): LocalLearningMethod {
  if (Object.hasOwn(decorators, name)) {
    if (of === undefined) {
      throw new LocalgradError(
        'invalid-option',
        `Method '${name}' wraps another one, but none was given; write ${name}(dgl), for instance.`,
        { name, methods: methodNames },
      );
    }
    return (decorators[name] as DecoratorFactory)(fromExpression(of), options);
  }
  const factory = Object.hasOwn(methods, name) ? methods[name] : undefined;
  if (factory === undefined) throw unknownName('method', name, [...methodNames, ...decoratorNames]);
  if (of !== undefined) {
    throw new LocalgradError('invalid-option', `Method '${name}' wraps no other method, but '${of.name}' was given.`, {
      name,
      of: of.name,
    });
  }
  return factory(options);
}

function withoutOptions(name: string, create: () => LocalLearningMethod): MethodFactory {
  return (options) => {
    const [key] = Object.keys(options);
    if (key !== undefined) {
      throw new LocalgradError('unknown-name', `Method '${name}' has no options, but '${key}' was given.`, {
        name,
        key,
      });
    }
    return create();
  };
}
