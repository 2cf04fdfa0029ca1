// Train a network, export the weights of its best epoch, and classify images with localgrad and with TensorFlow.js alone.
import { readFile } from 'node:fs/promises';
import { readBackbone } from '@localgrad/backbones';
import { createNetwork, resolvePartition } from '@localgrad/core';
import { createBatches, loadDataset } from '@localgrad/data';
import { predict } from '@localgrad/engine';
import { createScope } from '@localgrad/nn/random';
import { executeRun, exportWeights, resolveConfig } from '@localgrad/runs';
import * as tf from '@tensorflow/tfjs';

const config = resolveConfig({
  ...{ method: 'dgl', backbone: 'tiny', modules: 2, resize: 8, trainImages: 100, testImages: 40 },
  ...{ batch: 20, epochs: 3, validation: 0.2, backend: 'cpu' },
});
const source = 'runs/first';
await executeRun({ config, folder: source, resume: 'auto', keep: { keepBest: true } });
await exportWeights({ source, checkpoint: 'best', format: 'localgrad', output: 'best.safetensors' });
await exportWeights({ source, checkpoint: 'best', format: 'tfjs-layers', output: 'web-model' });

// The file describes the network, and how its images were normalized.
const { backbone, description } = readBackbone(await readFile('best.safetensors'), { scope: createScope(1) });
const network = createNetwork(backbone, resolvePartition(backbone.blocks, { modules: 1 }));
const { test } = await loadDataset('fashion-mnist-subset', { resize: 8, train: 100, test: 40 });
const [batch] = createBatches(test, { batchSize: 40, normalization: description.normalization }).epoch(0);
const [first] = tf.argMax(predict(network, batch.images), 1).dataSync();

// The same with TensorFlow.js alone; in a page, loadLayersModel('web-model/model.json').
const { modelTopology, weightsManifest, userDefinedMetadata } = JSON.parse(
  await readFile('web-model/model.json', 'utf8'),
);
const { buffer: weightData } = new Uint8Array(await readFile('web-model/weights.bin'));
const files = { modelTopology, weightSpecs: weightsManifest[0].weights, weightData, userDefinedMetadata };
const model = await tf.loadLayersModel(tf.io.fromMemory(files));
const { normalization, classNames } = model.getUserDefinedMetadata().localgrad;
const { mean, deviation } = normalization;
const pixels = tf.tensor4d(test.images.subarray(0, 64), [1, 8, 8, 1], 'int32');
const image = pixels.toFloat().div(255).sub(mean).div(deviation);
const [same] = model.predict(image).argMax(1).dataSync();
console.log(`first image: ${description.classNames[first]}; with TensorFlow.js alone: ${classNames[same]}`);
