import { readFileSync } from 'node:fs';
import { layersModelFiles, loadWeights, pytorchFile, readBackbone } from '@localgrad/backbones';
import { type BackendHandle, selectBackend } from '@localgrad/backends';
import { createNetwork, resolvePartition } from '@localgrad/core';
import { predict } from '@localgrad/engine';
import { createScope } from '@localgrad/nn/random';
import { readSafetensors, type TensorFile, writeSafetensors } from '@localgrad/nn/serialization';
import * as tf from '@tensorflow/tfjs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { loadOracle } from './load.js';

const file = 'e2e-resnet32.safetensors';
const oracle = loadOracle(file);
let backend: BackendHandle;
beforeAll(async () => {
  backend = await selectBackend('wasm');
});
afterAll(() => backend.dispose());

/** Weights and running statistics of the network after one training forward pass. */
function stateDict(): TensorFile {
  const { tensors } = readSafetensors(readFileSync(new URL(`fixtures/${file}`, import.meta.url)));
  const state = [...tensors].flatMap(([name, tensor]) => {
    const [, own] = /^(?:weights|bn_after)\/(.*)$/.exec(name) ?? [];
    return own === undefined ? [] : [[own, tensor] as const];
  });
  return { tensors: new Map(state), metadata: {} };
}

/** Largest difference of scores, relative to the largest score. */
function difference(scores: tf.Tensor, expected: Float32Array): number {
  const values = scores.dataSync<'float32'>();
  expect(values.length).toBe(expected.length);
  const largest = Math.max(...expected.map(Math.abs));
  return Math.max(...values.map((value, index) => Math.abs(value - (expected[index] as number)))) / largest;
}

it("ResNet-32's state dict yields the class scores of PyTorch, as a localgrad network and as a TensorFlow.js layers model", async () => {
  const { backbone } = readBackbone(writeSafetensors(stateDict()), { scope: createScope(1) });
  expect(backbone.config).toEqual({ backbone: 'resnet32' });
  const network = createNetwork(backbone, resolvePartition(backbone.blocks, { modules: 4 }));
  const { shape, data } = oracle.activation('input/x');
  const images = tf.tensor4d(data, shape as [number, number, number, number]);
  const expected = oracle.raw('eval_logits_after_one_train_forward');
  const scores = predict(network, images);
  expect(difference(scores, expected)).toBeLessThanOrEqual(1e-5);

  const { model, weights } = await layersModelFiles(network);
  const { weightsManifest, ...json } = JSON.parse(model) as tf.io.ModelJSON;
  const layers = await tf.loadLayersModel(
    tf.io.fromMemory({
      ...json,
      weightSpecs: weightsManifest.flatMap((group) => group.weights),
      weightData: Uint8Array.from(weights).buffer,
    } as tf.io.ModelArtifacts),
  );
  expect(difference(layers.predict(images) as tf.Tensor, scores.dataSync<'float32'>())).toBeLessThanOrEqual(1e-5);

  const other = readBackbone(await pytorchFile(network), { scope: createScope(2) });
  expect(loadWeights(network, await pytorchFile(other.backbone)).layout).toBe('pytorch');
  expect(difference(predict(network, images), expected)).toBeLessThanOrEqual(1e-5);
});
