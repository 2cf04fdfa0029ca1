import {
  compose,
  identity,
  independentPlan,
  type JsonObject,
  type LocalLearningMethod,
  type MethodDecorator,
} from '@localgrad/core';
import { headFactory } from '@localgrad/nn';
import { describe, expect, it } from 'vitest';
import { describeMethod, type MethodSuiteOptions } from './describe-method.js';
import { defaultTimeout } from './suite.js';
import { createTrial, createTrialBatch, disposeBatch, readStep } from './trial.js';

export interface DecoratorSuiteOptions extends MethodSuiteOptions {
  /** Methods that it wraps in the tests, by name. Default: local classifiers of two kinds. */
  readonly hosts?: Readonly<Record<string, () => LocalLearningMethod>>;
}

/** A host for decorators: a classifier with the named head on each module. */
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
 * The contract of a decorator: name and config record what it wraps, `identity` around or inside changes nothing, the
 * host is left alone, and the method that it returns passes `describeMethod`, whatever the host.
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

    it('records in name and config what it wraps', () => {
      const inner = host();
      const once = create()(inner);
      expect(once.name).toContain(`(${inner.name}`);
      expect((once.config as JsonObject).of).toEqual(inner.config);
      const twice = compose(create(), create())(inner);
      expect(twice.name).toContain(`(${once.name}`);
      expect((twice.config as JsonObject).of).toEqual(once.config);
    });

    it('is unchanged by identity, inside or around', async () => {
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

    it('does not change the method that it wraps', () => {
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
