import { backboneFactory, type NamedBackboneOptions } from '@localgrad/backbones';
import { type BackendHandle, selectBackend } from '@localgrad/backends';
import { backprop } from '@localgrad/backprop';
import { createNetwork, resolvePartition, startOfTraining } from '@localgrad/core';
import { dgl } from '@localgrad/dgl';
import { compilePlan, createTrainStep } from '@localgrad/engine';
import { sgd } from '@localgrad/nn/optimizers';
import { createRandom, createScope } from '@localgrad/nn/random';
import { relativeError } from '@localgrad/testing';
import * as tf from '@tensorflow/tfjs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

/** `npm run test:backend -- NAME` sets it. */
const name = process.env.LOCALGRAD_TEST_BACKEND ?? 'wasm';

const samples = 4;
/**
 * Largest found: 2.6e-5 on webgpu, in ResNet-50 and ResNeXt-50, whose last batch norms average over four values and
 * amplify rounding; below 1e-5 in networks with larger maps. A wrong gradient differs by far more.
 */
const tolerance = 1e-4;

const networks: readonly (readonly [string, NamedBackboneOptions, number])[] = [
  ['resnet18', { width: 4, layers: [1, 1, 1, 1] }, 32],
  ['resnet50', { width: 4, layers: [1, 1, 1, 1] }, 32],
  ['resnext50-32x4d', { width: 16, layers: [1, 1, 1, 1] }, 32],
  ['vgg13', { width: 2, hidden: 8 }, 32],
  ['vgg8b', { width: 2, hidden: 8 }, 32],
  ['densenet-bc-16-12', {}, 8],
  ['wide-resnet-10-1', {}, 8],
  ['vit', { width: 12, heads: 3, depth: 2, patch: 4 }, 16],
];

/** Losses and all values of one training step: its updates are the gradients times the rate. */
async function stepOf([network, options, size]: (typeof networks)[number]): Promise<number[][]> {
  const results: number[][] = [];
  for (const [modules, method] of [[1, backprop()] as const, [2, dgl({ head: '0c1f' })] as const]) {
    const scope = createScope(3);
    const backbone = backboneFactory(network, options).build({ inputShape: [size, size, 3], classes: 5, scope });
    const cut = createNetwork(backbone, resolvePartition(backbone.blocks, { modules }));
    const step = createTrainStep({
      compiled: compilePlan(cut, method.plan(cut), { scope }),
      optimizer: sgd({ learningRate: 0.05, momentum: 0 }),
    });
    const random = createRandom(9);
    const values = Float32Array.from({ length: samples * size * size * 3 }, () => random.normal());
    const images = tf.tensor4d(values, [samples, size, size, 3]);
    const labels = tf.tensor1d([1, 3, 0, 4], 'int32');
    const { losses, terms } = step.run({ images, targets: { labels } }, startOfTraining);
    for (const loss of losses.values()) results.push([...(await loss.data())]);
    tf.dispose([images, labels, ...losses.values(), ...terms.values()]);
    for (const parameter of scope.all().values()) {
      results.push([...(await parameter.value.data())]);
      parameter.dispose();
    }
    step.dispose();
  }
  return results;
}

describe(`steps on ${name}`, () => {
  const expected = new Map<string, number[][]>();
  let backend: BackendHandle;

  beforeAll(async () => {
    const reference = await selectBackend('cpu');
    for (const network of networks) expected.set(network[0], await stepOf(network));
    reference.dispose();
    backend = await selectBackend(name);
  }, 600_000);
  afterAll(() => backend.dispose());

  it.each(networks)(
    '%s %o: losses and updated weights are those of the reference',
    { timeout: 300_000 },
    async (...row) => {
      const found = await stepOf(row);
      const wanted = expected.get(row[0]) ?? [];
      expect(found.length).toBe(wanted.length);
      for (const [index, values] of found.entries())
        expect(relativeError(values, wanted[index] ?? [])).toBeLessThanOrEqual(tolerance);
    },
  );
});
