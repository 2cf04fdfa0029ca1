import { type HeadFactory, independentPlan, type LocalLearningMethod } from '@localgrad/core';
import { type CompiledPlan, compilePlan } from '@localgrad/engine';
import { mlm } from '@localgrad/mlm';
import { requireTarget } from '@localgrad/nn/losses';
import { createScope, uniformFanIn } from '@localgrad/nn/random';
import { tapeHead } from '@localgrad/nn/tape';
import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { lam } from './index.js';
import { networkOf } from './lam-plan.fixture.js';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

const factory: HeadFactory = {
  name: 'tied',
  build: ({ inputShape, classes, shared }, scope) =>
    tapeHead({
      name: 'tied',
      inputShape,
      parameters: [
        scope.parameter('project', [inputShape[2], 3], uniformFanIn(inputShape[2])),
        (shared ?? scope).parameter('classify', [3, classes], uniformFanIn(3)),
      ],
      fn: (h, targets, [project, classify]) => {
        const labels = tf.oneHot(requireTarget(targets, 'labels', 'tied'), classes);
        const features = tf.matMul(tf.mean<tf.Tensor2D>(h, [1, 2]), project as tf.Tensor2D);
        return tf.losses.softmaxCrossEntropy(labels, tf.matMul(features, classify as tf.Tensor2D));
      },
    }),
};

/** A method whose heads share their last layer. */
const tied: LocalLearningMethod = {
  specVersion: 'v1',
  name: 'tied',
  config: { method: 'tied' },
  plan(network) {
    const plan = independentPlan('tied', network, factory);
    const shares = { key: 'common', scale: 'sum' } as const;
    const objectives = plan.objectives.map((one) =>
      one.head.factory === factory ? { ...one, head: { ...one.head, shares } } : one,
    );
    return { ...plan, objectives };
  },
};

const compile = (method: LocalLearningMethod): CompiledPlan => {
  const scope = createScope(1);
  const network = networkOf(14, { modules: 4 }, scope);
  return compilePlan(network, method.plan(network), { scope });
};
const common = (method: LocalLearningMethod) =>
  [...compile(method).parameters.keys()].filter((name) => name.endsWith('classify'));

describe('heads that share weights', () => {
  it.each([
    ['alone', tied, ['heads.common.classify']],
    ['behind chains', lam(tied), ['heads.common.classify']],
    ['in windows', mlm(tied), ['heads.common.classify', 'heads.common.cascaded.classify']],
    ['behind the chains of windows', lam(mlm(tied)), ['heads.common.classify', 'heads.common.cascaded.classify']],
  ])('still do, %s', (_, method, names) => {
    expect(common(method).sort()).toEqual([...names].sort());
  });

  it('keep chains of their own', () => {
    const names = [...compile(lam(tied)).parameters.keys()].filter((name) => /leap.*conv1\.weight$/.test(name));
    expect([...new Set(names.map((name) => name.split('.')[1]))].sort()).toEqual(['module0', 'module1', 'module2']);
  });

  it('cannot have common chains as well', () => {
    expect(() => compile(lam(tied, { share: 'stage' }))).toThrow(
      "lam: option 'share' is 'stage', but the heads that it wraps already share weights ('common' in loss 'module0'); allowed: none.",
    );
  });
});
