import { localLossVgg } from '@localgrad/backbones';
import { clockAt, createNetwork, get, resolvePartition } from '@localgrad/core';
import { compilePlan, createTrainStep, predict } from '@localgrad/engine';
import { sgd } from '@localgrad/nn/optimizers';
import { createScope } from '@localgrad/nn/random';
import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { readReferenceSteps } from '../../../../tools/reference-steps.fixture.js';
import { predsim } from './index.js';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

function largestError(found: ArrayLike<number>, wanted: ArrayLike<number>): number {
  return Math.max(...Array.from(wanted, (value, index) => Math.abs(value - Number(found[index]))));
}

describe('predsim in VGG8b', () => {
  it("takes PyTorch's steps, and predicts what it predicts", () => {
    const wanted = readReferenceSteps(new URL('./fixtures/vgg8b.safetensors', import.meta.url), 8);
    const scope = createScope(1);
    const vgg = localLossVgg({ depth: 8, width: 4, hidden: 8, activation: 'leakyRelu' });
    const backbone = vgg.build({ inputShape: [16, 16, 3], classes: 10, scope });
    const partition = resolvePartition(backbone.blocks, { modules: 8, stemModule: 'own' });
    const network = createNetwork(backbone, partition);
    const compiled = compilePlan(network, predsim({ decoderInputs: 64 }).plan(network), { scope });
    const trained = [...compiled.parameters.values()].filter(({ kind }) => kind === 'weight').map(({ name }) => name);
    expect(trained.sort()).toEqual([...wanted.weights].sort());
    for (const name of wanted.weights) {
      const { shape, data } = wanted.before(name);
      get(compiled.parameters, name, 'parameter').assign(tf.tensor(data, [...shape]));
    }
    const optimizer = sgd({ learningRate: 0.05, momentum: 0, weightDecay: 0 });
    const trainStep = createTrainStep({ compiled, optimizer });
    const images = tf.tensor4d(wanted.images.data, [6, 16, 16, 3]);
    const batch = { images, targets: { labels: tf.tensor1d(wanted.labels, 'int32') } };
    const ids = [0, 1, 2, 3, 4, 5, 6].map((module) => `module${module}`);
    for (const step of [0, 1, 2]) {
      const { losses } = trainStep.run(batch, clockAt(step, 3, 1));
      const found = [...ids, 'final'].map((id) => Number(get(losses, id, 'loss').dataSync()[0]));
      expect(largestError(found, wanted.losses(step)), `losses of step ${step}`).toBeLessThan(1e-5);
    }
    for (const weight of wanted.weights) {
      const [start, end] = [wanted.before(weight).data, wanted.after(weight).data];
      const found = get(compiled.parameters, weight, 'parameter').value.dataSync();
      const rounding = 2 ** -22 * Math.max(...end.map(Math.abs));
      expect(largestError(found, end), weight).toBeLessThan(1e-3 * largestError(start, end) + rounding);
    }
    const logits = predict(network, images).dataSync();
    expect(largestError(logits, wanted.values('logits').data)).toBeLessThan(1e-5);
  });
});
