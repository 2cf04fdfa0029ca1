import { auglocal } from '@localgrad/auglocal';
import { type BackendHandle, selectBackend } from '@localgrad/backends';
import { backprop } from '@localgrad/backprop';
import { type LocalLearningMethod, startOfTraining } from '@localgrad/core';
import { dgl } from '@localgrad/dgl';
import { compilePlan, createTrainStep } from '@localgrad/engine';
import { infopro } from '@localgrad/infopro';
import { mlaan } from '@localgrad/mlaan';
import { sgd } from '@localgrad/nn/optimizers';
import * as tf from '@tensorflow/tfjs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fromLayersModel, type LayersNetwork } from './index.js';
import { batchFor, difference, dilatedCnn, mobileNet, oblongCnn, scoresOf, sequentialCnn } from './models.fixture.js';

let backend: BackendHandle;
beforeAll(async () => {
  backend = await selectBackend('wasm', { threads: 1 });
});
afterAll(() => backend.dispose());

/** Trains on one batch. @returns the losses of the classifier, first and last */
function train(own: LayersNetwork, method: LocalLearningMethod, model: tf.LayersModel, steps: number): number[] {
  const compiled = compilePlan(own.network, method.plan(own.network), { scope: own.scope });
  const optimizer = sgd({ learningRate: 0.05, momentum: 0.9, nesterov: true, weightDecay: 0 });
  const trainStep = createTrainStep({ compiled, optimizer, learningRate: 0.05 });
  const { images, labels } = batchFor(model, 12);
  const losses: number[] = [];
  for (let step = 0; step < steps; step++) {
    const { losses: found, terms } = trainStep.run({ images, targets: { labels, images } }, startOfTraining);
    losses.push([...found.values()].at(-1)?.dataSync()[0] ?? Number.NaN);
    tf.dispose([...found.values(), ...terms.values()]);
  }
  optimizer.dispose();
  tf.dispose([images, labels]);
  return losses;
}

/** Loss and accuracy of the model itself, by `model.evaluate`; then class probabilities. */
function evaluate(model: tf.LayersModel, images: tf.Tensor4D, labels: tf.Tensor1D) {
  model.compile({ optimizer: 'sgd', loss: 'sparseCategoricalCrossentropy', metrics: ['accuracy'] });
  const results = model.evaluate(images, labels.cast('float32'));
  const [loss = Number.NaN, accuracy = Number.NaN] = [results].flat().map((result) => result.dataSync()[0]);
  const probabilities = [model.predict(images)].flat().flatMap((one) => Array.from(one.dataSync()));
  return { loss, accuracy, probabilities };
}

const models = { sequential: sequentialCnn, mobile: mobileNet, oblong: oblongCnn, dilated: dilatedCnn };
const methods: Readonly<Record<string, () => LocalLearningMethod>> = {
  backprop: () => backprop(),
  dgl: () => dgl({ head: '0c2f' }),
  infopro: () => infopro(),
  auglocal: () => auglocal(),
  mlaan: () => mlaan(dgl({ head: '0c1f' })),
};
const cases: readonly (readonly [keyof typeof models, string])[] = [
  ['sequential', 'backprop'],
  ['sequential', 'dgl'],
  ['sequential', 'mlaan'],
  ['mobile', 'dgl'],
  ['mobile', 'mlaan'],
  ['oblong', 'dgl'],
  ['dilated', 'mlaan'],
];

describe('a model of layers', () => {
  const timeout = 120_000;

  it.each(cases)(
    '%s, trained by %s and written back, has the accuracy of model.evaluate',
    { timeout },
    async (name, method) => {
      const model = models[name]();
      const own = fromLayersModel(model, { cuts: 3 });
      expect(own.network.modules).toHaveLength(3);
      const { images, labels } = batchFor(model, 30, 6);
      const before = evaluate(model, images, labels);
      const losses = train(own, methods[method]?.() ?? dgl(), model, 15);
      expect(losses.at(-1)).toBeLessThan(0.95 * (losses[0] ?? 0));
      expect(evaluate(model, images, labels)).toEqual(before);
      own.writeWeights();
      const { loss, accuracy, probabilities } = evaluate(model, images, labels);
      const scores = scoresOf(own, images);
      const predicted = tf.equal(scores.argMax(1), labels).cast('float32').mean().dataSync()[0];
      expect(accuracy).toBeCloseTo(predicted ?? 0, 6);
      expect(loss).not.toBe(before.loss);
      expect(difference(tf.softmax(scores), tf.tensor1d(probabilities))).toBeLessThan(1e-5);
      own.dispose();
    },
  );

  it.each(['infopro', 'auglocal'])('is trained by %s', { timeout }, (method) => {
    const model = mobileNet();
    const own = fromLayersModel(model, { cuts: 3 });
    for (const loss of train(own, methods[method]?.() ?? dgl(), model, 2)) expect(loss).toBeGreaterThan(0);
    own.dispose();
  });

  it('writes into another model with the same layers, and into no other', () => {
    const own = fromLayersModel(sequentialCnn(), { cuts: 2 });
    const other = sequentialCnn();
    other.setWeights(other.weights.map((weight) => tf.zeros(weight.shape.map(Number))));
    own.writeWeights(other);
    const { images, labels } = batchFor(other, 3);
    const { probabilities } = evaluate(other, images, labels);
    expect(difference(tf.softmax(scoresOf(own, images)), tf.tensor1d(probabilities))).toBeLessThan(1e-6);
    expect(() => own.writeWeights(mobileNet())).toThrow(
      "Model 'mobile' does not have the layers of 'layers/cnn': weight 'kernel' of layer 'conv1' has shape [3, 3, 3, 4]; found no such weight.",
    );
    own.dispose();
  });

  it('leaves no tensors after dispose', () => {
    const model = mobileNet();
    const before = tf.memory().numTensors;
    const own = fromLayersModel(model, { cuts: 2 });
    train(own, mlaan(dgl({ head: '0c1f' })), model, 2);
    own.writeWeights();
    own.dispose();
    expect(tf.memory().numTensors).toBe(before);
  });
});
