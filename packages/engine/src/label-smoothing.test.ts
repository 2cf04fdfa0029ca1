import { type HeadFactory, independentPlan } from '@localgrad/core';
import { createScope } from '@localgrad/nn/random';
import { tapeHead } from '@localgrad/nn/tape';
import * as tf from '@tensorflow/tfjs';
import { beforeAll, expect, it } from 'vitest';
import { compilePlan } from './compile.js';
import { createExecutor } from './executor.js';
import { createLiteralExecutor } from './literal.js';
import { headFactory } from './plain-network.fixture.js';
import { plainModules, randomBatch } from './train-step.fixture.js';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

/** Losses and gradients of a step by name. */
function stepWith(create: typeof createExecutor, labelSmoothing?: number, factory: HeadFactory = headFactory) {
  const scope = createScope(1);
  const network = plainModules(scope);
  const options = { scope, ...(labelSmoothing === undefined ? {} : { labelSmoothing }) };
  const compiled = compilePlan(network, independentPlan('test', network, factory), options);
  const gradients = new Map<string, number[]>();
  const { losses } = create(compiled).step(randomBatch(3), {
    onGradients: (group) => {
      for (const { parameter, gradient } of group) gradients.set(parameter.name, [...gradient.dataSync()]);
    },
  });
  return { gradients, losses: new Map([...losses].map(([id, loss]) => [id, loss.dataSync()[0]])) };
}

it('smooths the labels of all losses, as the literal procedure does', () => {
  const [plain, none, smooth] = [undefined, 0, 0.2].map((share) => stepWith(createExecutor, share));
  expect(none).toEqual(plain);
  const literal = stepWith(createLiteralExecutor, 0.2);
  expect([...(smooth?.losses ?? [])]).toEqual([...literal.losses]);
  for (const [name, values] of smooth?.gradients ?? []) {
    expect(values, name).toEqual(literal.gradients.get(name)?.map((value) => expect.closeTo(value, 5)));
    expect(values, name).not.toEqual(plain?.gradients.get(name));
  }
  for (const [id, loss] of smooth?.losses ?? []) expect(loss, id).not.toBe(plain?.losses.get(id));
});

it('tells heads of others', () => {
  const seen: number[] = [];
  const factory: HeadFactory = {
    name: 'own',
    build: ({ inputShape }) =>
      tapeHead({
        ...{ name: 'own', inputShape, reads: ['labels'] },
        fn: (h, _targets, _parameters, { labelSmoothing }) => {
          seen.push(labelSmoothing);
          return tf.mean<tf.Scalar>(h);
        },
      }),
  };
  stepWith(createExecutor, 0.1, factory);
  expect(new Set(seen)).toEqual(new Set([0.1]));
});

it.each([-0.1, 1, Number.NaN])('rejects a share of %f', (share) => {
  expect(() => stepWith(createExecutor, share)).toThrow(/'labelSmoothing' is .*numbers ≥ 0 and < 1/);
});

it('rejects plans without a loss on labels', () => {
  const scope = createScope(1);
  const network = plainModules(scope);
  const factory: HeadFactory = {
    name: 'mean',
    build: ({ inputShape }) => tapeHead({ name: 'mean', inputShape, reads: [], fn: (h) => tf.mean<tf.Scalar>(h) }),
  };
  const plan = independentPlan('unlabeled', network, factory);
  const local = { ...plan, objectives: plan.objectives.slice(0, -1) };
  expect(() => compilePlan(network, local, { scope, labelSmoothing: 0.1 })).toThrow(
    /'labelSmoothing' .*no loss of 'unlabeled' reads labels/,
  );
});
