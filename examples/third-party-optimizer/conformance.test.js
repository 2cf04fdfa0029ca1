import { cifarResNet } from '@localgrad/backbones';
import { selectBackend } from '@localgrad/backends';
import { clockAt, createNetwork } from '@localgrad/core';
import { dgl } from '@localgrad/dgl';
import { compilePlan, createTrainStep } from '@localgrad/engine';
import { createScope } from '@localgrad/nn/random';
import { describeOptimizer } from '@localgrad/testing';
import * as tf from '@tensorflow/tfjs';
import { expect, it } from 'vitest';
import lion from './index.js';

await selectBackend('wasm');

describeOptimizer('lion', () => lion({ learningRate: 0.02 }), {
  fromConfig: ({ optimizer: _, ...options }) => lion(options),
  learningRate: 0.02,
  steps: 200,
});

it('trains with gradients accumulated over micro-batches', { timeout: 60_000 }, async () => {
  const scope = createScope(1);
  const backbone = cifarResNet({ depth: 8, width: 4 }).build({ inputShape: [8, 8, 3], classes: 2, scope });
  const network = createNetwork(backbone, [2, 2]);
  const compiled = compilePlan(network, dgl({ head: '0c1f' }).plan(network), { scope });
  const step = createTrainStep({ compiled, optimizer: lion({ learningRate: 0.003 }), accumulate: 2 });
  const batch = {
    images: tf.randomNormal([8, 8, 8, 3], 0, 1, 'float32', 1),
    targets: { labels: tf.tensor1d([0, 1, 0, 1, 0, 1, 0, 1], 'int32') },
  };
  const losses = [];
  const tensors = [];
  for (let index = 0; index < 30; index++) {
    const result = step.run(batch, clockAt(index, 1, 30));
    losses.push((await result.losses.get('final').data())[0]);
    tf.dispose([...result.losses.values(), ...result.terms.values()]);
    tensors.push(tf.memory().numTensors);
  }
  expect(losses.at(-1)).toBeLessThan(0.7 * losses[0]);
  expect(tensors.at(-1)).toBe(tensors[1]);
  // Of 8 images, activations take less than the gradients that wait for the second half.
  expect(step.predict(32).stepBytes).toBeLessThan(
    createTrainStep({ compiled, optimizer: lion({ learningRate: 1 }) }).predict(32).stepBytes,
  );
});
