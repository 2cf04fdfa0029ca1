import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compose, identity, type LocalLearningMethod, type MethodDecorator } from './method.js';
import type { Network } from './network.js';

const method: LocalLearningMethod = {
  specVersion: 'v1',
  name: 'm',
  config: { method: 'm' },
  plan: () => ({ method: 'm', objectives: [], hooks: [] }),
};

/** Wraps the method's name in its own, and adds a hook to the plan. */
const mark =
  (name: string): MethodDecorator =>
  (inner) => ({
    specVersion: 'v1',
    name: `${name}(${inner.name})`,
    config: { decorator: name, of: inner.config },
    plan: (network) => {
      const plan = inner.plan(network);
      return { ...plan, method: `${name}(${plan.method})`, hooks: [...plan.hooks, { name, afterStep: () => {} }] };
    },
  });

/** All observable properties of a method. */
const seen = (of: LocalLearningMethod) => {
  const { method: name, hooks } = of.plan({} as Network);
  return { name: of.name, config: of.config, planned: name, hooks: hooks.map((hook) => hook.name) };
};
const names = fc.array(fc.constantFrom('f', 'g', 'h'), { maxLength: 5 });

describe('decorators', () => {
  it('compose with the first decorator outermost', () => {
    expect(seen(compose(mark('f'), mark('g'))(method))).toEqual({
      name: 'f(g(m))',
      config: { decorator: 'f', of: { decorator: 'g', of: { method: 'm' } } },
      planned: 'f(g(m))',
      hooks: ['g', 'f'],
    });
  });

  it('form a monoid: composition is associative, and identity (also the empty composition) is neutral', () => {
    fc.assert(
      fc.property(names, names, names, (a, b, c) => {
        const [f, g, h] = [a, b, c].map((list) => compose(...list.map(mark))) as [
          MethodDecorator,
          MethodDecorator,
          MethodDecorator,
        ];
        const expected = seen(compose(f, g, h)(method));
        expect(seen(compose(compose(f, g), h)(method))).toEqual(expected);
        expect(seen(compose(f, compose(g, h))(method))).toEqual(expected);
        expect(seen(f(g(h(method))))).toEqual(expected);
        expect(seen(compose(f, identity)(method))).toEqual(seen(f(method)));
        expect(seen(compose(identity, f)(method))).toEqual(seen(f(method)));
      }),
    );
    expect(compose()(method)).toBe(method);
    expect(identity(method)).toBe(method);
  });
});
