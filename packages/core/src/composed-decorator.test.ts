import { describe, expect, it } from 'vitest';
import { composedDecorator } from './composed-decorator.js';
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

/** `outer` applies `inner` and `middle`, which fail with a message. */
const outer = (of: LocalLearningMethod, message?: string) =>
  composedDecorator({ decorator: 'outer', parts: ['inner', 'middle'], of, options: { size: 2 } }, (host) => ({
    specVersion: 'v1',
    name: `inner(middle(${of.name}))`,
    config: {},
    plan: (at) => (message === undefined ? host : failing(`inner(middle(${of.name}))`, message)).plan(at),
  }));

const host = failing('host', 'inner: the host itself');
const nested = failing('inner(host)', '');

describe('composedDecorator', () => {
  it.each<[LocalLearningMethod, string, string]>([
    [host, 'inner(middle(host)): no heads', 'outer(host): no heads'],
    [host, 'middle(host): no heads', 'outer(host): no heads'],
    [nested, 'inner(middle(inner(host))): no heads', 'outer(inner(host)): no heads'],
    [host, "inner: option 'a' is wrong", "outer: option 'a' is wrong"],
    [host, 'other: stays', 'other: stays'],
  ])('names itself in errors of its parts: %#', (of, message, expected) => {
    expect(() => outer(of, message).plan(network)).toThrow(expect.objectContaining({ message: expected }));
  });

  it('leaves errors of the host as they are', () => {
    expect(() => outer(host).plan(network)).toThrow('inner: the host itself');
  });

  it('names itself in errors about options, and in its details', () => {
    const create = () =>
      composedDecorator({ decorator: 'outer', parts: ['inner'], of: host, options: {} }, () => {
        requireOption(false, 'inner', 'size', 3, '1, 2');
        return host;
      });
    expect(create).toThrow(
      expect.objectContaining({
        message: "outer: option 'size' is 3; allowed: 1, 2.",
        details: expect.objectContaining({ where: 'outer', option: 'size' }),
      }),
    );
  });

  it('has a name and a config of its own', () => {
    expect(outer(host)).toMatchObject({ name: 'outer(host)', config: { decorator: 'outer', of: {}, size: 2 } });
  });
});
