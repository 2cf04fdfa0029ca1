import { readFileSync } from 'node:fs';
import { localLossVgg } from '@localgrad/backbones';
import { clockAt, createNetwork, get, resolvePartition } from '@localgrad/core';
import { compilePlan, createTrainStep, predict } from '@localgrad/engine';
import { sgd } from '@localgrad/nn/optimizers';
import { createScope } from '@localgrad/nn/random';
import { activationFromPyTorch, readSafetensors, weightFromPyTorch } from '@localgrad/nn/serialization';
import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { predsim } from './index.js';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

/** The file of `scripts/reference-steps.py`. */
function reference() {
  const { tensors } = readSafetensors(readFileSync(new URL('./fixtures/vgg8b.safetensors', import.meta.url)));
  const values = (key: string) => {
    const tensor = get(tensors, key, 'tensor');
    if (!(tensor.data instanceof Float32Array)) throw new Error(`${key} is not float32`);
    return { shape: tensor.shape, data: tensor.data };
  };
  const labels = get(tensors, 'labels', 'tensor').data;
  if (!(labels instanceof Int32Array)) throw new Error('labels are not int32');
  return {
    images: activationFromPyTorch(values('images')),
    labels,
    weights: [...tensors.keys()].flatMap((key) => (key.startsWith('before.') ? [key.slice(7)] : [])),
    before: (weight: string) => weightFromPyTorch(values(`before.${weight}`)),
    after: (weight: string) => weightFromPyTorch(values(`after.${weight}`)),
    losses: (step: number) => [...values('losses').data.slice(8 * step, 8 * step + 8)],
    logits: values('logits').data,
  };
}

function largestError(found: ArrayLike<number>, wanted: ArrayLike<number>): number {
  return Math.max(...Array.from(wanted, (value, index) => Math.abs(value - Number(found[index]))));
}

describe('predsim in VGG8b', () => {
  it("takes PyTorch's steps, and predicts what it predicts", () => {
    const wanted = reference();
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
    expect(largestError(logits, wanted.logits)).toBeLessThan(1e-5);
  });
});
