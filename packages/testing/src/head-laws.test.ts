import { selectBackend } from '@localgrad/backends';
import { type Head, type HeadFactory, independentPlan, type LocalLearningMethod } from '@localgrad/core';
import { headFactory } from '@localgrad/nn/heads';
import * as tf from '@tensorflow/tfjs';
import { describe, expect, it } from 'vitest';
import { evaluateHeads, expectClassScores, expectMeasuredCosts, expectUnchangedByEvaluation } from './head-laws.js';
import { createTrial, type Trial, trainTrial } from './trial.js';

await selectBackend(process.env.LOCALGRAD_TEST_BACKEND ?? 'wasm');

const plain = headFactory('0c1f');

/** A method whose heads are changed by `change`. */
function methodWith(change: (head: Head) => Partial<Head>): LocalLearningMethod {
  const factory: HeadFactory = {
    name: 'changed',
    build: (context, scope) => {
      const head = plain.build(context, scope);
      const { cost, averages, ...rest } = head;
      return {
        ...rest,
        ...(cost === undefined ? {} : { cost }),
        ...(averages === undefined ? {} : { averages }),
        evaluate: (h, targets, request) => head.evaluate(h, targets, request),
        ...change(head),
      };
    },
  };
  return {
    specVersion: 'v1',
    name: 'changed',
    config: { method: 'changed' },
    plan: (network) => independentPlan('changed', network, factory),
  };
}

async function withTrial(change: (head: Head) => Partial<Head>, use: (trial: Trial) => unknown): Promise<void> {
  const trial = createTrial(methodWith(change));
  try {
    await use(trial);
  } finally {
    trial.dispose();
  }
}

describe('laws of heads', () => {
  const hasTemporaries = tf.getBackend() === 'tensorflow';

  it('compare declared costs with measured ones', async () => {
    const cost = (head: Head) => head.cost ?? { multiplyAccumulates: 0, evaluatePeakBytes: () => 0 };
    await withTrial(
      () => ({}),
      (trial) => expectMeasuredCosts(trial, 0.1),
    );
    await withTrial(
      (head) => ({ cost: { ...cost(head), multiplyAccumulates: 7 } }),
      (trial) => expect(() => expectMeasuredCosts(trial, 0.1)).toThrow(/multiplyAccumulates, 7 declared, \d+ measured/),
    );
    await withTrial(
      (head) => ({ cost: { ...cost(head), evaluatePeakBytes: () => 5 } }),
      (trial) => {
        const check = expect(() => expectMeasuredCosts(trial, 0.1));
        if (hasTemporaries) check.not.toThrow();
        else check.toThrow(/evaluatePeakBytes\(8\), 5 declared/);
      },
    );
  });

  it('notice predictions of another shape than one score per class', async () => {
    await withTrial(
      () => ({}),
      (trial) => expectClassScores(trial),
    );
    await withTrial(
      () => ({ predict: (h) => tf.mean(h, [1, 2]) }),
      (trial) => expect(() => expectClassScores(trial)).toThrow(/head '0c1f' measures an accuracy: shape of its pred/),
    );
  });

  it('notice a measure that changes a weight', async () => {
    await withTrial(
      () => ({}),
      (trial) => expectUnchangedByEvaluation(trial),
    );
    const measure = (head: Head) => () => {
      const [weight] = head.parameters;
      weight?.assign(tf.mul(weight.value, 2));
      return new Map();
    };
    await withTrial(
      (head) => ({ measure: measure(head) }),
      (trial) => expect(expectUnchangedByEvaluation(trial)).rejects.toThrow(/after 'measure'/),
    );
  });

  it('find state in closures by evaluations between the steps', async () => {
    const losses = async (evaluates: boolean) => {
      let calls = 0;
      const trial = createTrial(
        methodWith((head) => ({
          evaluate: (h, targets, request) =>
            head.evaluate(h, targets, { ...request, weight: request.weight / ++calls }),
        })),
      );
      const training = await trainTrial(trial, 3, evaluates ? { between: () => evaluateHeads(trial) } : {});
      trial.dispose();
      return training.losses;
    };
    expect(await losses(true)).not.toEqual(await losses(false));
  });
});
