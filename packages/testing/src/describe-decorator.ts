import { compose, identity, independentPlan, type LocalLearningMethod, type MethodDecorator } from '@localgrad/core';
import { headFactory } from '@localgrad/nn/heads';
import { describe, expect, it } from 'vitest';
import { describeMethod, type MethodSuiteOptions } from './describe-method.js';
import { type HostFeature, lostFeatures } from './host-features.js';
import { defaultTimeout } from './suite.js';
import { createTrial, createTrialBatch, disposeBatch, readStep } from './trial.js';

export interface DecoratorSuiteOptions extends MethodSuiteOptions {
  /** Host methods used in the tests, by name. Default: two kinds of local classifiers. */
  readonly hosts?: Readonly<Record<string, () => LocalLearningMethod>>;
  /** Parts of a host's plan that the decorator replaces, or rejects in a host, with the reason. Default: none. */
  readonly replaces?: Readonly<Partial<Record<HostFeature, string>>>;
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
 * Contract of a decorator: name, plan and config name the wrapped method, the host's hooks, state, phases, blocks and
 * scheduled weights are kept, composition with `identity` changes nothing, the
 * host is not modified, and the returned method passes `describeMethod` for every host.
 */
export function describeDecorator(
  name: string,
  create: () => MethodDecorator,
  options: DecoratorSuiteOptions = {},
): void {
  const {
    replaces = {},
    hosts = { 'a linear classifier': () => hostWith('0c1f'), 'a convolution and two layers': () => hostWith('1c2f') },
  } = options;

  describe(`conformance of decorator ${name}`, { timeout: options.timeout ?? defaultTimeout }, () => {
    const host = () => hostWith('0c1f');

    it('records the wrapped method in name and config', () => {
      const inner = host();
      const once = create()(inner);
      expect(once.name).toContain(`(${inner.name}`);
      expect(once.config).toHaveProperty('of', inner.config);
      const trial = createTrial(once);
      expect(trial.compiled.plan.method, "'method' of the plan").toBe(once.name);
      trial.dispose();
      const twice = compose(create(), create())(inner);
      expect(twice.name).toContain(`(${once.name}`);
      expect(twice.config).toHaveProperty('of', once.config);
    });

    it('keeps hooks, state, phases, rewritten blocks and scheduled weights of the wrapped method', async () => {
      const replaced = Object.keys(replaces) as HostFeature[];
      const lost = await lostFeatures(create(), replaced);
      expect(lost, "lost parts of the host's plan; those that are replaced on purpose belong in 'replaces'").toEqual(
        [],
      );
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
