import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Backbone, createNetwork, LocalgradError, resolvePartition } from '@localgrad/core';
import { createScope } from '@localgrad/nn/random';
import * as tf from '@tensorflow/tfjs';
import { afterEach, describe, expect, it } from 'vitest';
import { cifarResNet, imageNetResNet, tinyNet } from '../index.js';
import { backboneParameters } from './backbone-parameters.js';
import { type LayersModelFiles, layersModelFiles } from './index.js';
import { largestDifference, scoresOf, tinyResNet } from './weights.fixture.js';

let server: Server | undefined;
afterEach(() => server?.close());

/** Loads the files over HTTP, as a web page does. */
async function load({ model, weights }: LayersModelFiles): Promise<tf.LayersModel> {
  const contents: Record<string, string | Uint8Array> = { '/model.json': model, '/weights.bin': weights };
  const started = createServer(({ url = '' }, response) => {
    response.setHeader('content-type', url.endsWith('.json') ? 'application/json' : 'application/octet-stream');
    response.end(contents[url]);
  });
  server = started;
  await new Promise<void>((resolve) => started.listen(0, '127.0.0.1', resolve));
  return tf.loadLayersModel(`http://127.0.0.1:${(started.address() as AddressInfo).port}/model.json`);
}

/** Changes the statistics and scales of the batch norms from their initial values. */
function unsettle(backbone: Backbone): void {
  let seed = 0;
  for (const parameter of backboneParameters(backbone).values()) {
    const { name, shape } = parameter;
    if (shape.length !== 1) continue;
    const low = name.endsWith('running_var') ? 0.5 : -0.5;
    parameter.assign(tf.randomUniform([...shape], low, low + 1, 'float32', ++seed));
  }
}

async function differenceOf(backbone: Backbone): Promise<number> {
  unsettle(backbone);
  const images = tf.randomNormal<tf.Rank.R4>([3, ...backbone.inputShape], 0, 1, 'float32', 7);
  const model = await load(await layersModelFiles(backbone));
  const scores = (model.predict(images) as tf.Tensor).dataSync<'float32'>();
  const ours = scoresOf(backbone, images);
  expect(Math.max(...ours.map(Math.abs))).toBeGreaterThan(0.01);
  return largestDifference(scores, ours);
}

describe('models of TensorFlow.js layers', () => {
  it.each([
    ['resnet8, narrow', cifarResNet({ depth: 8, widths: [2, 2, 3, 4] }), [8, 8, 3]],
    ['resnet14, odd and oblong images', cifarResNet({ depth: 14, width: 3 }), [9, 7, 1]],
    ['resnet8, maps of one pixel', cifarResNet({ depth: 8, widths: [3, 2, 2, 2] }), [2, 1, 3]],
    ['tiny', tinyNet(), [8, 8, 3]],
  ] as const)('return the same class scores as the backbone: %s', async (_, factory, inputShape) => {
    expect(await differenceOf(factory.build({ inputShape, classes: 5, scope: createScope(2) }))).toBeLessThan(1e-5);
  });

  it('leak no tensors, and record the input normalization', async () => {
    const backbone = tinyResNet();
    const network = createNetwork(backbone, resolvePartition(backbone.blocks, { modules: 2 }));
    const before = tf.memory().numTensors;
    const normalization = { mean: [0.5, 0.5, 0.5], deviation: [1, 1, 1] };
    const { model, weights } = await layersModelFiles(network, { normalization });
    expect(tf.memory().numTensors).toBe(before);
    const json = JSON.parse(model) as tf.io.ModelJSON;
    expect(json.userDefinedMetadata).toEqual({
      localgrad: { backbone: backbone.config, inputShape: [8, 8, 3], classes: 5, normalization },
    });
    const values = [...backboneParameters(backbone).values()].reduce((sum, { size }) => sum + size, 0);
    expect(weights.length).toBe(4 * values);
  });

  it('are rejected for unsupported networks', async () => {
    const other = { ...tinyResNet(), name: 'vgg16' };
    const error = await layersModelFiles(other).catch((reason: unknown) => reason);
    expect(LocalgradError.isInstance(error) && error.code).toBe('invalid-option');
    expect(String(error)).toMatch(/'vgg16' cannot be written .* allowed: CIFAR ResNets/);
    const factory = imageNetResNet({ depth: 18, width: 1 });
    const imageNets = factory.build({ inputShape: [32, 32, 3], classes: 2, scope: createScope(1) });
    await expect(layersModelFiles(imageNets)).rejects.toThrow(/'resnet18' cannot be written/);
  });
});
