// Uses the packages from plain JavaScript: each method trains a small ResNet for a few steps on the embedded images.
// Prints one line of JSON.
import { auglocal } from '@localgrad/auglocal';
import { backboneFactory } from '@localgrad/backbones';
import { selectBackend } from '@localgrad/backends';
import { backprop } from '@localgrad/backprop';
import { createNetwork, resolvePartition } from '@localgrad/core';
import { createBatches, fashionMnistSubset, take } from '@localgrad/data';
import { deepSupervision } from '@localgrad/deep-supervision';
import { dgl } from '@localgrad/dgl';
import { compilePlan } from '@localgrad/engine';
import { greedy } from '@localgrad/greedy';
import { hpff } from '@localgrad/hpff';
import { infopro } from '@localgrad/infopro';
import { lam } from '@localgrad/lam';
import { leanMlaan } from '@localgrad/lean-mlaan';
import { man } from '@localgrad/man';
import { mlaan } from '@localgrad/mlaan';
import { mlm } from '@localgrad/mlm';
import { sgd } from '@localgrad/nn/optimizers';
import { createScope } from '@localgrad/nn/random';
import { pff } from '@localgrad/pff';
import { train } from '@localgrad/train';
import * as tf from '@tensorflow/tfjs';

tf.enableProdMode();
const backend = await selectBackend('auto');
const { train: images } = await fashionMnistSubset();
const batches = createBatches(take(images, 40), { batchSize: 20, shuffle: true, seed: 1, withImages: true });

const runs = {};
for (const method of [
  backprop(),
  greedy(),
  dgl(),
  auglocal({ depth: 1 }),
  lam(mlm(dgl())),
  mlaan(infopro()),
  leanMlaan(dgl()),
  deepSupervision(backprop(), { after: 0 }),
  man(dgl()),
  pff(dgl()),
  hpff(),
]) {
  const scope = createScope(1);
  const backbone = backboneFactory('resnet8').build({ inputShape: images.imageShape, classes: 10, scope });
  const network = createNetwork(backbone, resolvePartition(backbone.blocks, { modules: 2 }));
  const losses = [];
  const result = await train({
    compiled: compilePlan(network, method.plan(network), { scope }),
    optimizer: sgd({ learningRate: 0.05, momentum: 0.9 }),
    learningRate: 0.05,
    batches,
    testBatches: batches,
    epochs: 3,
    observers: [{ observe: (event) => event.type === 'epoch-end' && losses.push(event.losses) }],
  });
  runs[method.name] = { losses, testAccuracy: result.testAccuracy, peakBytes: result.peakBytes, steps: result.steps };
}
const name = backend.name;
backend.dispose();
console.log(JSON.stringify({ backend: name, runs }));
