import { startOfTraining, type TrainingPlan } from '@localgrad/core';
import { sgd } from '@localgrad/nn/optimizers';
import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { compileFour, randomBatch } from './train-step.fixture.js';
import { createTrainStep } from './train-step.js';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

describe('optimizers, schedules, weights and phases', () => {
  const fail = () => {
    throw new Error('not yet');
  };
  const place = /failed: not yet \(mistaken-functions\.test\.ts:\d+:\d+\)$/;
  const { compiled } = compileFour();

  it('reports an optimizer whose state is no map, or whose bytes are no number', () => {
    const mine = { ...sgd({ learningRate: 0.1 }), config: { optimizer: 'mine', learningRate: 0.1 } };
    expect(() => createTrainStep({ compiled, optimizer: { ...mine, state: () => ({}) as never } })).toThrow(
      "Method 'state' of optimizer 'mine' returned {}; it must return a Map of tensors by name, which may be empty.",
    );
    const silent = { ...mine, stateBytes: () => undefined as never };
    expect(() => createTrainStep({ compiled, optimizer: silent }).predict(4)).toThrow(
      /^Method 'stateBytes' of optimizer 'mine' returned undefined for 'b0\.conv\.weight'; it must return the bytes/,
    );
  });

  it('reports what a schedule, the weight of an objective or a rule of phases throws, with the line', () => {
    const optimizer = sgd({ learningRate: 0.1 });
    const run = (change: (plan: TrainingPlan) => TrainingPlan) =>
      createTrainStep({ compiled: compileFour(change).compiled, optimizer }).run(randomBatch(1), startOfTraining);
    const rate = { config: { schedule: 'mine' }, rate: fail };
    const scheduled = createTrainStep({ compiled, optimizer, learningRate: rate });
    const late = () => scheduled.run(randomBatch(1), startOfTraining);
    expect(late).toThrow(place);
    expect(late).toThrow(/^Method 'rate' of schedule \{"schedule":"mine"\}/);
    const weighted = () =>
      run((plan) => ({ ...plan, objectives: plan.objectives.map((one) => ({ ...one, weight: fail })) }));
    expect(weighted).toThrow(place);
    expect(weighted).toThrow(/^The weight of objective 'module0'/);
    const phased = (phaseAt: () => string) => () =>
      run((plan) => ({ ...plan, phases: { phases: [{ name: 'all' }], phaseAt } }));
    expect(phased(fail)).toThrow(place);
    expect(phased(fail)).toThrow(/^Plan of 'greedy': phaseAt/);
    expect(phased(() => undefined as never)).toThrow('phaseAt returned undefined at step 0; its phases are all.');
  });

  it('reports what a hook, a replacement of blocks or an update throws, with the line', () => {
    const mistake = () => {
      throw new TypeError('not yet');
    };
    const run = (change: (plan: TrainingPlan) => TrainingPlan, optimizer = sgd({ learningRate: 0.1 })) =>
      createTrainStep({ compiled: compileFour(change).compiled, optimizer }).run(randomBatch(1), startOfTraining);
    const hooked = () => run((plan) => ({ ...plan, hooks: [{ name: 'decay', afterStep: fail }] }));
    expect(hooked).toThrow(place);
    expect(hooked).toThrow(/^Hook 'decay' of 'greedy' failed/);
    const rewritten = () => run((plan) => ({ ...plan, rewriteBlock: fail }));
    expect(rewritten).toThrow(place);
    expect(rewritten).toThrow(/^Plan of 'greedy': rewriteBlock failed/);
    const optimizer = { ...sgd({ learningRate: 0.1 }), config: { optimizer: 'mine', learningRate: 0.1 } };
    const updated = () => run((plan) => plan, { ...optimizer, update: mistake });
    expect(updated).toThrow(place);
    expect(updated).toThrow(/^Method 'update' of optimizer 'mine' failed/);
    // The backend's own errors are passed on.
    expect(() => run((plan) => plan, { ...optimizer, update: fail })).toThrow(/^not yet$/);
  });
});
