// Train your own model of TensorFlow.js layers with DGL, and write the weights back: here a small MobileNet.
import { selectBackend } from '@localgrad/backends';
import { createBatches, loadDataset } from '@localgrad/data';
import { dgl } from '@localgrad/dgl';
import { compilePlan } from '@localgrad/engine';
import { fromLayersModel } from '@localgrad/layers';
import { sgd } from '@localgrad/nn/optimizers';
import { cosine } from '@localgrad/nn/schedules';
import { train } from '@localgrad/train';
import * as tf from '@tensorflow/tfjs';

/** A depthwise convolution, and one of 1×1, each with batch norm and ReLU6. */
function separable(name, filters, strides) {
  const norm = (layer) => tf.layers.batchNormalization({ name: `${name}_${layer}_bn`, momentum: 0.9 });
  const relu6 = (layer) => tf.layers.reLU({ name: `${name}_${layer}_relu`, maxValue: 6 });
  const options = { padding: 'same', useBias: false };
  return [
    tf.layers.depthwiseConv2d({ name: `${name}_depthwise`, kernelSize: 3, strides, ...options }),
    norm('depthwise'),
    relu6('depthwise'),
    tf.layers.conv2d({ name: `${name}_pointwise`, kernelSize: 1, filters, ...options }),
    norm('pointwise'),
    relu6('pointwise'),
  ];
}

const stem = { inputShape: [14, 14, 1], filters: 8, kernelSize: 3, padding: 'same', useBias: false };
const model = tf.sequential({
  name: 'small-mobilenet',
  layers: [
    tf.layers.conv2d({ name: 'stem', ...stem }),
    tf.layers.batchNormalization({ name: 'stem_bn', momentum: 0.9 }),
    tf.layers.reLU({ name: 'stem_relu', maxValue: 6 }),
    ...separable('block1', 16, 2),
    ...separable('block2', 16, 1),
    ...separable('block3', 32, 2),
    tf.layers.globalAveragePooling2d({ name: 'pool' }),
    tf.layers.dense({ name: 'scores', units: 10, activation: 'softmax' }),
  ],
});

await selectBackend('wasm', { threads: 1 });
const own = fromLayersModel(model, { cuts: 3 });
for (const { index, blocks } of own.network.modules) {
  console.log(`module ${index}: ${blocks.map(({ name }) => name).join(', ')}`);
}

const data = await loadDataset('fashion-mnist-subset', { resize: 14, train: 600, test: 200 });
const batches = createBatches(data.train, { batchSize: 50, shuffle: true, seed: 1 });
const testBatches = createBatches(data.test, { batchSize: 200, normalization: batches.normalization });
const { testAccuracy } = await train({
  compiled: compilePlan(own.network, dgl().plan(own.network), { scope: own.scope }),
  optimizer: sgd({ learningRate: 0.1, momentum: 0.9, weightDecay: 1e-4 }),
  learningRate: cosine({ learningRate: 0.1 }),
  batches,
  testBatches,
  epochs: 2,
});

// The model itself has the trained weights and moving statistics now.
own.writeWeights();
model.compile({ optimizer: 'sgd', loss: 'sparseCategoricalCrossentropy', metrics: ['accuracy'] });
const [batch] = testBatches.epoch(0);
const [, accuracy] = model.evaluate(batch.images, batch.targets.labels.cast('float32'));
console.log(`test accuracy ${testAccuracy.toFixed(3)}, of model.evaluate ${accuracy.dataSync()[0].toFixed(3)}`);
