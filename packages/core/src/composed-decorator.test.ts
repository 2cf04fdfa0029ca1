import { describe, expect, it } from 'vitest';
import { composedDecorator, type DecoratorName, decoratedName } from './composed-decorator.js';
import { LocalgradError, requireOption } from './errors.js';
import type { LocalLearningMethod } from './method.js';
import type { Network } from './network.js';

const network = {} as Network;
const failing = (name: string, message: string): LocalLearningMethod => ({
  specVersion: 'v1',
  name,
  config: {},
  plan: () => {
    throw new LocalgradError('invalid-option', message, { method: name });
  },
});

/** Rejects its option, and fails in its plan under the name that it receives. */
function inner(size: number, { decorator, method }: DecoratorName): LocalLearningMethod {
  requireOption(size < 3, decorator, 'size', size, '1, 2');
  return failing(method, `${method}: no heads`);
}

const host = failing('inner(host)', 'inner: the host itself');
const outer = (size: number) =>
  composedDecorator({ decorator: 'outer', of: host, options: { size } }, (name) => inner(size, name));

describe('composedDecorator', () => {
  it('gives its parts the name for their errors', () => {
    expect(() => outer(2).plan(network)).toThrow(
      expect.objectContaining({
        message: 'outer(inner(host)): no heads',
        details: { method: 'outer(inner(host))' },
      }),
    );
    expect(() => outer(3)).toThrow(
      expect.objectContaining({
        message: "outer: option 'size' is 3; allowed: 1, 2.",
        details: expect.objectContaining({ where: 'outer', option: 'size' }),
      }),
    );
  });

  it('leaves errors of the host as they are', () => {
    const around = composedDecorator({ decorator: 'outer', of: host, options: {} }, () => host);
    expect(() => around.plan(network)).toThrow('inner: the host itself');
  });

  it('has a name and a config of its own', () => {
    expect(outer(2)).toMatchObject({ name: 'outer(inner(host))', config: { decorator: 'outer', of: {}, size: 2 } });
  });
});

describe('decoratedName', () => {
  it('contains the name of the host', () => {
    expect(decoratedName('outer', host)).toEqual({ decorator: 'outer', method: 'outer(inner(host))' });
  });

  it.each<[unknown, RegExp]>([
    [function dgl() {}, /^outer: the method to decorate is a function; call it: dgl\(\)\.$/],
    ['dgl', /^outer: the method to decorate is 'dgl'; pass a method, such as dgl\(\) of @localgrad\/dgl\.$/],
    [{ name: 'own' }, /lacks 'config' \(object\), 'plan' \(function\); pass a method/],
    [undefined, /is undefined/],
  ])('rejects %o in place of a host', (of, message) => {
    expect(() => decoratedName('outer', of as never)).toThrow(message);
    const build = () => host;
    expect(() => composedDecorator({ decorator: 'outer', of: of as never, options: {} }, build)).toThrow(message);
  });
});
