import { compose, identity, independentPlan, type LocalLearningMethod, type MethodDecorator } from '@localgrad/core';
import { headFactory } from '@localgrad/nn/heads';
import { describe, expect, it } from 'vitest';
import { describeMethod, type MethodSuiteOptions } from './describe-method.js';
import { defaultTimeout } from './suite.js';
import { createTrial, createTrialBatch, disposeBatch, readStep } from './trial.js';

export interface DecoratorSuiteOptions extends MethodSuiteOptions {
  /** Host methods used in the tests, by name. Default: two kinds of local classifiers. */
  readonly hosts?: Readonly<Record<string, () => LocalLearningMethod>>;
}

/** A host method with the named head as a classifier on each module. */
function hostWith(head: string): LocalLearningMethod {
  const factory = headFactory(head);
  return {
    specVersion: 'v1',
    name: 'host',
    config: { method: 'host', head },
    plan: (network) => independentPlan('host', network, factory),
  };
}

/**
 * Contract of a decorator: name and config contain the wrapped method, composition with `identity` changes nothing, the
 * host is not modified, and the returned method passes `describeMethod` for every host.
 */
export function describeDecorator(
  name: string,
  create: () => MethodDecorator,
  options: DecoratorSuiteOptions = {},
): void {
  const {
    hosts = { 'a linear classifier': () => hostWith('0c1f'), 'a convolution and two layers': () => hostWith('1c2f') },
  } = options;

  describe(`conformance of decorator ${name}`, { timeout: options.timeout ?? defaultTimeout }, () => {
    const host = () => hostWith('0c1f');

    it('records the wrapped method in name and config', () => {
      const inner = host();
      const once = create()(inner);
      expect(once.name).toContain(`(${inner.name}`);
      expect(once.config).toHaveProperty('of', inner.config);
      const twice = compose(create(), create())(inner);
      expect(twice.name).toContain(`(${once.name}`);
      expect(twice.config).toHaveProperty('of', once.config);
    });

    it('is unchanged by composition with identity', async () => {
      const batch = createTrialBatch(1);
      const run = async (decorate: MethodDecorator) => {
        const trial = createTrial(decorate(host()));
        const step = await readStep(trial, batch);
        trial.dispose();
        return step;
      };
      const alone = await run(create());
      expect(await run(compose(identity, create()))).toEqual(alone);
      expect(await run(compose(create(), identity))).toEqual(alone);
      disposeBatch(batch);
    });

    it('does not modify the wrapped method', () => {
      const inner = host();
      const trial = createTrial(inner);
      const before = JSON.stringify(inner.plan(trial.network).objectives);
      create()(inner).plan(trial.network);
      expect(JSON.stringify(inner.plan(trial.network).objectives)).toBe(before);
      trial.dispose();
    });

    for (const [label, makeHost] of Object.entries(hosts)) {
      describeMethod(`${name} around ${label}`, () => create()(makeHost()), options);
    }
  });
}
