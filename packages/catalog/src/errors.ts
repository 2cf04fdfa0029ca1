import { LocalgradError, unknownName } from '@localgrad/core';
import type { Catalog } from './catalog.js';
import { labels, type TableName } from './factories.js';

/** An error for an unknown name; lists methods and decorators together. */
export function unknownThing(catalog: Catalog, table: TableName, name: string, more = ''): LocalgradError {
  const isMethod = table === 'methods' || table === 'decorators';
  const decorators = isMethod ? catalog.names('decorators') : [];
  const names = isMethod ? catalog.names('methods') : catalog.names(table);
  const error = unknownName(isMethod ? 'method' : labels[table], name, [...names, ...decorators]);
  const [start] = error.message.split(' Allowed: ');
  const shown = [...names, ...decorators.map((decorator) => `${decorator}(…)`)].join(', ') || 'none';
  return new LocalgradError('unknown-name', `${start} Allowed: ${shown}${more}.`, error.details);
}

/** An error for a decorator without a method. */
export function needsMethod(catalog: Catalog, name: string): LocalgradError {
  const methods = catalog.names('methods');
  return new LocalgradError(
    'invalid-option',
    `'${name}' is a decorator and needs a method to wrap, e.g. ${name}(${methods.at(-1) ?? 'method'}). Methods: ${methods.join(', ')}.`,
    { name, methods },
  );
}

/** An error for a method that is used as a decorator. */
export function wrapsNothing(catalog: Catalog, name: string, of: string): LocalgradError {
  const decorators = catalog.names('decorators');
  return new LocalgradError(
    'invalid-option',
    `Method '${name}' cannot wrap '${of}': it is not a decorator. Decorators: ${decorators.join(', ')}.`,
    { name, of, decorators },
  );
}

/** An error for an option that is set both in an expression and outside of it. */
export function doubleOption(label: string, expression: string, option: string): LocalgradError {
  return new LocalgradError(
    'invalid-option',
    `'${option}' is set twice: in the ${label} '${expression}' and separately. Remove one of them.`,
    { expression, option },
  );
}
