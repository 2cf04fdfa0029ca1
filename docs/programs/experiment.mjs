// Observe a run, stop it early, read gradients and weights, evaluate every module, and extract features.
import { backboneFactory } from '@localgrad/backbones';
import { selectBackend } from '@localgrad/backends';
import { createNetwork, resolvePartition } from '@localgrad/core';
import { createBatches, holdOut, loadDataset } from '@localgrad/data';
import { dgl } from '@localgrad/dgl';
import { compilePlan, createExecutor, forwardBlocks } from '@localgrad/engine';
import { sgd } from '@localgrad/nn/optimizers';
import { createScope } from '@localgrad/nn/random';
import { evaluateNetwork, probeModules, train } from '@localgrad/train';
import * as tf from '@tensorflow/tfjs';

await selectBackend('wasm', { threads: 1 });
const data = await loadDataset('fashion-mnist-subset', { resize: 14, train: 600, test: 200 });
const { train: images, heldOut } = holdOut(data.train, 0.2, { seed: 1 });
const batches = createBatches(images, { batchSize: 40, shuffle: true, seed: 1 });
const { normalization } = batches;
const validationBatches = createBatches(heldOut, { batchSize: 120, normalization });
const testBatches = createBatches(data.test, { batchSize: 200, normalization });

const scope = createScope(1);
const backbone = backboneFactory('resnet14', { width: 4 }).build({ inputShape: [14, 14, 1], classes: 10, scope });
const network = createNetwork(backbone, resolvePartition(backbone.blocks, { modules: 3 }));
const compiled = compilePlan(network, dgl().plan(network), { scope });

const patience = 2;
const result = await train({
  compiled,
  optimizer: sgd({ learningRate: 0.1, momentum: 0.9 }),
  learningRate: 0.1,
  batches,
  validationBatches,
  testBatches,
  epochs: 5,
  observers: [
    {
      observe(event) {
        if (event.type === 'epoch-end') console.log(`epoch ${event.epoch}`, event.validationAccuracy, event.losses);
      },
    },
  ],
  stopWhen: (records) => {
    const losses = records.map(({ validationLoss = Number.POSITIVE_INFINITY }) => validationLoss);
    return losses.length - 1 - losses.indexOf(Math.min(...losses)) >= patience;
  },
});
console.log(`${result.epochs.length} epochs, test accuracy ${result.testAccuracy}`);

const [batch] = batches.epoch(0);
const { losses, terms } = createExecutor(compiled).step(batch, {
  updatesStatistics: false,
  onGradients(gradients) {
    for (const { parameter, gradient } of gradients) {
      const norm = tf.norm(gradient);
      console.log('gradient', parameter.name, norm.dataSync()[0]);
      tf.dispose([norm, gradient]);
    }
  },
});
tf.dispose([...losses.values(), ...terms.values()]);
batch.dispose();

for (const [name, { kind, shape, value }] of compiled.parameters) {
  if (kind === 'weight') console.log('weight', name, shape, value.dataSync().slice(0, 3));
}

await train({
  compiled,
  optimizer: sgd({ learningRate: 0.01 }),
  learningRate: 0.01,
  batches,
  epochs: 1,
  recordSteps: false,
  executor: (plan) => {
    const executor = createExecutor(plan);
    return {
      step: (images, options) =>
        executor.step(images, {
          ...options,
          onGradients(gradients) {
            const first = gradients.find(({ parameter }) => parameter.name === 'conv1.weight');
            if (first !== undefined) console.log('first', first.gradient.dataSync().slice(0, 3));
            options.onGradients(gradients); // passes them on to the optimizer, which disposes them
          },
        }),
    };
  },
});

console.log('probes', await probeModules({ network, batches, testBatches }));

for await (const { images, targets, dispose } of testBatches.epoch(0)) {
  for (const [module, heads] of compiled.heads) {
    const blocks = network.modules.slice(0, module + 1).flatMap((one) => one.blocks);
    const features = forwardBlocks(blocks, images);
    for (const { key, head } of heads) {
      const metrics = head.measure?.(features, targets);
      console.log('head', module, key, metrics?.get('accuracy')?.dataSync()[0]);
      tf.dispose([...(metrics?.values() ?? [])]);
    }
    features.dispose();
  }
  dispose();
}

console.log('whole network', (await evaluateNetwork(network, testBatches)).accuracy);

const extractor = network.modules.slice(0, -1).flatMap(({ blocks }) => blocks);
for await (const { images, dispose } of testBatches.epoch(0)) {
  const maps = forwardBlocks(extractor, images);
  const features = tf.mean(maps, [1, 2]);
  console.log('features', features.shape);
  tf.dispose([maps, features]);
  dispose();
}
