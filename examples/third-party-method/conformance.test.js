import { cifarResNet } from '@localgrad/backbones';
import { selectBackend } from '@localgrad/backends';
import { createNetwork, independentPlan, startOfTraining } from '@localgrad/core';
import { compilePlan, createExecutor } from '@localgrad/engine';
import { withLam } from '@localgrad/lam';
import { withMlm } from '@localgrad/mlm';
import { createScope } from '@localgrad/nn/random';
import { tapeHead } from '@localgrad/nn/tape';
import { describeMethod } from '@localgrad/testing';
import * as tf from '@tensorflow/tfjs';
import { expect, it } from 'vitest';
import prototypes from './index.js';

await selectBackend('wasm');

describeMethod('prototypes', () => prototypes({ temperature: 0.2 }), {
  fromConfig: ({ method: _, ...options }) => prototypes(options),
  decorators: { mlm: withMlm(), lam: withLam() },
});

it('a mistake in a head is reported with the names of head and module', () => {
  const scope = createScope(1);
  const backbone = cifarResNet({ depth: 8, width: 2 }).build({ inputShape: [8, 8, 3], classes: 3, scope });
  const network = createNetwork(backbone, [2, 2]);
  const broken = {
    name: 'unfinished',
    build: ({ inputShape }) => tapeHead({ name: 'unfinished', inputShape, fn: (h) => tf.mean(h, [1, 2, 3]) }),
  };
  const plan = independentPlan('acme', network, broken);
  const compiled = compilePlan(network, plan, { scope });
  const batch = { images: tf.zeros([4, 8, 8, 3]), targets: { labels: tf.zeros([4], 'int32') } };
  const request = { clock: startOfTraining };
  expect(() => createExecutor(compiled).step(batch, request)).toThrow(/'unfinished'.*scalar/s);
  expect(() => createExecutor(compiled).step({ ...batch, targets: {} }, request)).toThrow(/unfinished.*'labels'/s);
});
