import { cifarResNet } from '@localgrad/backbones';
import { selectBackend } from '@localgrad/backends';
import { clockAt, createNetwork, independentPlan, startOfTraining } from '@localgrad/core';
import { checkWeights, compilePlan, createExecutor, createTrainStep } from '@localgrad/engine';
import { withLam } from '@localgrad/lam';
import { withMlm } from '@localgrad/mlm';
import { sgd } from '@localgrad/nn/optimizers';
import { createScope, zeros } from '@localgrad/nn/random';
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

it('a missing method and weights that are not finite are reported with their owner', async () => {
  const compile = (build) => {
    const scope = createScope(1);
    const backbone = cifarResNet({ depth: 8, width: 2 }).build({ inputShape: [8, 8, 3], classes: 3, scope });
    const network = createNetwork(backbone, [2, 2]);
    return compilePlan(network, independentPlan('acme', network, { name: 'unfinished', build }), { scope });
  };
  const head = ({ inputShape }, scope) =>
    tapeHead({
      name: 'unfinished',
      scope,
      inputShape,
      parameters: [{ name: 'scale', shape: [], initializer: zeros }],
      fn: (h, _, [scale]) => tf.mul(tf.mean(h), scale),
    });
  expect(() => compile((...given) => ({ ...head(...given), evaluate: undefined }))).toThrow(/'unfinished'.*evaluate/s);
  const compiled = compile(head);
  await expect(checkWeights(compiled)).resolves.toBeUndefined();
  [...compiled.parameters.values()].find(({ name }) => name.endsWith('scale')).assign(tf.scalar(Number.NaN));
  await expect(checkWeights(compiled)).rejects.toThrow(/scale' of head 'unfinished'.*non-finite/s);
});

it('weights of losses follow the same clock as heads', { timeout: 60_000 }, async () => {
  const changesAt = async (weight, step) => {
    const scope = createScope(1);
    const backbone = cifarResNet({ depth: 8, width: 2 }).build({ inputShape: [8, 8, 3], classes: 3, scope });
    const network = createNetwork(backbone, [2, 2]);
    const plan = prototypes({ jitter: 0 }).plan(network);
    const objectives = plan.objectives.map((one) => (one.id === 'final' ? one : { ...one, weight }));
    const compiled = compilePlan(network, { ...plan, objectives }, { scope });
    const batch = { images: tf.ones([4, 8, 8, 3]), targets: { labels: tf.tensor1d([0, 1, 2, 0], 'int32') } };
    const weights = [...compiled.parameters.values()].filter(({ name }) => name.endsWith('.prototypes'));
    const before = await Promise.all(weights.map(({ value }) => value.data()));
    const { losses } = createTrainStep({
      compiled,
      optimizer: sgd({ learningRate: 1, momentum: 0, weightDecay: 0 }),
    }).run(batch, clockAt(step, 1, 4));
    tf.dispose([...losses.values()]);
    const after = await Promise.all(weights.map(({ value }) => value.data()));
    return after.flatMap((values, index) => [...values].map((value, at) => value - before[index][at]));
  };
  const warmUp = (clock) => Math.min(1, (4 * clock.step) / clock.steps);
  expect((await changesAt(warmUp, 0)).every((change) => change === 0)).toBe(true);
  expect(await changesAt(warmUp, 1)).toEqual(await changesAt(1, 1));
});
