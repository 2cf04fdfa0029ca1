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

type Options = Readonly<Record<string, OptionValue>>;

/** Makes a method from the options of its expression. */
type MethodFactory = (options: Options) => LocalLearningMethod;

const factories: Readonly<Record<string, MethodFactory>> = {
  backprop: withoutOptions('backprop', backprop),
  greedy: withoutOptions('greedy', greedy),
  dgl: (options) => dgl(options as DglOptions),
};

export const methodNames: readonly string[] = Object.keys(factories);

/**
 * A method from its expression: `dgl`, `dgl(head: 1c2f)`.
 *
 * @throws LocalgradError `unknown-name`, `invalid-option`
 */
export function createMethod(text: string): LocalLearningMethod {
  return fromExpression(parseMethodExpression(text));
}

function fromExpression({ name, of, options }: MethodExpression): LocalLearningMethod {
  const factory = Object.hasOwn(factories, name) ? factories[name] : undefined;
  if (factory === undefined) throw unknownName('method', name, methodNames);
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
