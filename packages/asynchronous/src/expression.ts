import { LocalgradError, type OptionValue, parseExpression, shown } from '@localgrad/core';
import { type AsynchronousOptions, orders, resolveAsynchronous, type SlowModule, samplings } from './options.js';

const names = ['buffer', 'sampling', 'reuse', 'order', 'slow'] as const;

/**
 * Parses options as written on the command line and in files: `buffer: 2, sampling: lifo, reuse: 3, order: random, slow: 3@2`
 * (module 3 takes twice as long), `slow: [3@2, 5@1.5]`; undefined for `none`, synchronous training.
 *
 * @throws LocalgradError `invalid-option`
 */
export function parseAsynchronous(text: string): AsynchronousOptions | undefined {
  if (text.trim() === 'none') return undefined;
  const { of, options } = parseExpression(`asynchronous(${text})`, 'option');
  const unknown = of?.name ?? Object.keys(options).find((key) => !names.some((name) => name === key));
  if (unknown !== undefined) {
    throw new LocalgradError(
      'invalid-option',
      `unknown '${unknown}'; allowed: none, or options of ${names.join(', ')}, e.g. "buffer: 2, order: random, slow: 3@2".`,
    );
  }
  const { buffer, sampling, reuse, order, slow } = options;
  const parsed: AsynchronousOptions = {
    ...(buffer === undefined ? {} : { bufferSize: numberOf('buffer', buffer) }),
    ...(sampling === undefined ? {} : { sampling: wordOf('sampling', sampling, samplings) }),
    ...(reuse === undefined ? {} : { maxReuse: numberOf('reuse', reuse) }),
    ...(order === undefined ? {} : { order: wordOf('order', order, orders) }),
    ...(slow === undefined ? {} : { slow: slowModules(slow) }),
  };
  resolveAsynchronous(parsed);
  return parsed;
}

function numberOf(name: string, value: OptionValue): number {
  const least = name === 'buffer' ? 1 : 0;
  if (typeof value === 'number' && Number.isInteger(value) && value >= least) return value;
  throw problem(name, value, `integers ≥ ${least}`);
}

function wordOf<Word extends string>(name: string, value: OptionValue, words: readonly Word[]): Word {
  const word = words.find((one) => one === value);
  if (word === undefined) throw problem(name, value, words.join(', '));
  return word;
}

/** `3@2`, `[3@2, 5@1.5]` */
function slowModules(value: OptionValue): SlowModule[] {
  const list: readonly OptionValue[] = isList(value) ? value : [value];
  return list.map((one) => {
    const [, module, pace] = /^(\d+)@(\d+(?:\.\d+)?)$/.exec(String(one)) ?? [];
    if (module === undefined || pace === undefined || Number(pace) < 1) {
      throw problem('slow', one, 'a module and its pace ≥ 1, e.g. 3@2, or a list of them');
    }
    return { module: Number(module), pace: Number(pace) };
  });
}

function isList(value: OptionValue): value is readonly OptionValue[] {
  return Array.isArray(value);
}

function problem(name: string, value: OptionValue, allowed: string): LocalgradError {
  const found = shown(typeof value === 'object' ? value : String(value));
  return new LocalgradError('invalid-option', `${name}: ${found}; allowed: ${allowed}.`, {
    name,
    value,
    allowed,
  });
}
