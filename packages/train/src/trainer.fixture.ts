import { backboneFactory } from '@localgrad/backbones';
import { createNetwork, type LocalLearningMethod, resolvePartition } from '@localgrad/core';
import { compilePlan } from '@localgrad/engine';
import { sgd } from '@localgrad/nn/optimizers';
import { createRandom, createScope } from '@localgrad/nn/random';
import * as tf from '@tensorflow/tfjs';
import type { BatchSource } from './index.js';

/** Two classes that differ in brightness. */
export function toyBatches(samples: number, batchSize: number, seed = 1): BatchSource {
  const batchesPerEpoch = Math.ceil(samples / batchSize);
  return {
    samples,
    batchSize,
    batchesPerEpoch,
    *epoch(epoch, fromSample = 0) {
      const random = createRandom(seed, `epoch${epoch}`);
      for (let first = 0; first < samples; first += batchSize) {
        const size = Math.min(batchSize, samples - first);
        const labels = Array.from({ length: size }, () => random.integer(2));
        const values = labels.flatMap((label) => Array.from({ length: 16 }, () => random.normal() + 2 * label - 1));
        const images = tf.tensor4d(values, [size, 4, 4, 1]);
        const targets = { labels: tf.tensor1d(labels, 'int32') };
        const dispose = () => tf.dispose([images, targets.labels]);
        if (first < fromSample) dispose();
        else yield { images, targets, dispose };
      }
    },
  };
}

/** A small network with a plan and an optimizer, for {@link toyBatches}. */
export function setUp(method: LocalLearningMethod, modules: number, seed = 7) {
  const scope = createScope(seed);
  const backbone = backboneFactory('tiny').build({ inputShape: [4, 4, 1], classes: 2, scope });
  const network = createNetwork(backbone, resolvePartition(backbone.blocks, { modules }));
  const compiled = compilePlan(network, method.plan(network), { scope });
  const optimizer = sgd({ learningRate: 0.05 });
  const dispose = () => {
    optimizer.dispose();
    for (const parameter of scope.all().values()) parameter.dispose();
  };
  return { compiled, optimizer, dispose };
}
