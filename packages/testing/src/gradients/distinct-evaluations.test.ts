import { clockAt, type Head, trainingMode } from '@localgrad/core';
import { createClassifier } from '@localgrad/nn/heads';
import { createScope } from '@localgrad/nn/random';
import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { distinctEvaluations, type Evaluation } from './distinct-evaluations.js';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

const evaluations: readonly Evaluation[] = [0, 50, 99].map((step) => ({
  mode: { ...trainingMode, ...(step === 50 ? { noise: { seed: 3, step, part: 0 } } : {}) },
  clock: clockAt(step, 10, 10),
}));
const classifier = () => createClassifier({ scope: createScope(1), inputShape: [2, 2, 4], classes: 3 });

/** A classifier whose gradients are multiplied by a factor that depends on where it is evaluated. */
function varying(factorOf: (evaluation: Evaluation) => number): Head {
  const head = classifier();
  return {
    ...head,
    evaluate: (h, targets, request) =>
      head.evaluate(h, targets, { ...request, weight: request.weight * factorOf(request) }),
  };
}

describe('distinctEvaluations', () => {
  it.each([
    ['one that never changes', classifier(), [0]],
    ['one that changes after the first step', varying(({ clock }) => (clock.step === 0 ? 1 : 2)), [0, 1]],
    ['one that changes with each step', varying(({ clock }) => 1 / (1 + clock.step)), [0, 1, 2]],
    ['one with noise', varying(({ mode }) => (mode.noise === undefined ? 1 : 2)), [0, 1]],
  ] as const)('of %s are those that differ from all before', async (_, head, expected) => {
    const targets = { labels: tf.tensor1d([0, 1, 2, 0], 'int32') };
    const before = tf.memory().numTensors;
    const found = await distinctEvaluations(head, targets, 4, evaluations);
    expect(tf.memory().numTensors).toBe(before);
    expect(found).toEqual(expected.map((index) => evaluations[index]));
    targets.labels.dispose();
  });
});
