import { type Optimizer, startOfTraining } from '@localgrad/core';
import { sgd } from '@localgrad/nn/optimizers';
import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { createPartStep } from './part-step.js';
import { compileFour, randomBatch } from './train-step.fixture.js';
import { createTrainStep } from './train-step.js';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

const asynchronous: Optimizer = {
  ...sgd({ learningRate: 0.1 }),
  config: { optimizer: 'mine' },
  update: async () => {},
};

describe('asynchronous functions', () => {
  it.each([
    ['throws', async () => Promise.reject(new Error('boom'))],
    ['returns', async () => {}],
  ])('are rejected as hooks, with their name: one that %s', (_, afterStep) => {
    const { compiled } = compileFour((plan) => ({ ...plan, hooks: [{ name: 'decay', afterStep }] }));
    const step = createTrainStep({ compiled, optimizer: sgd({ learningRate: 0.1 }) });
    expect(() => step.run(randomBatch(1), startOfTraining)).toThrow(
      /Hook 'decay' of 'greedy' returned a Promise.*must not be async/,
    );
  });

  it('are rejected as updates of optimizers, in steps of whole plans and of parts', () => {
    const { compiled } = compileFour();
    const message = /'update' of optimizer 'mine' returned a Promise/;
    const moment = { clock: startOfTraining, learningRate: 0.1 };
    expect(() =>
      createTrainStep({ compiled, optimizer: asynchronous, learningRate: 0.1 }).run(randomBatch(1), moment.clock),
    ).toThrow(message);
    expect(() => createPartStep({ compiled, optimizer: asynchronous }).run(randomBatch(1), moment)).toThrow(message);
  });

  it('are rejected as heads, with head and module', () => {
    const { compiled } = compileFour((plan) => ({
      ...plan,
      objectives: plan.objectives.map((objective) => {
        const { factory } = objective.head;
        if (objective.id !== 'module1' || factory === undefined) return objective;
        const build: typeof factory.build = (context, scope) => {
          const head = factory.build(context, scope);
          return { ...head, evaluate: (async () => {}) as never };
        };
        return { ...objective, head: { key: 'module1', factory: { ...factory, build } } };
      }),
    }));
    expect(() =>
      createTrainStep({ compiled, optimizer: sgd({ learningRate: 0.1 }) }).run(randomBatch(1), startOfTraining),
    ).toThrow(/head 'classifier' \(module1\) on module 1.*: evaluate returned a Promise/);
  });
});
