import { cifarResNet } from '@localgrad/backbones';
import { selectBackend } from '@localgrad/backends';
import { createNetwork, finalObjective, independentPlan } from '@localgrad/core';
import { createBatches } from '@localgrad/data';
import { compilePlan } from '@localgrad/engine';
import { meanSquaredErrorHead, pixelCrossEntropyHead, withOutputHead } from '@localgrad/nn/heads';
import { adam } from '@localgrad/nn/optimizers';
import { createScope } from '@localgrad/nn/random';
import { describeDataset } from '@localgrad/testing';
import { train } from '@localgrad/train';
import { describe, expect, it } from 'vitest';
import squares from './index.js';

await selectBackend('wasm');

const load = () => squares({ train: 160, test: 64 });

describeDataset('squares', load);

/** The same batches, as if they came from a disk. */
function asynchronous(batches) {
  return {
    samples: batches.samples,
    batchSize: batches.batchSize,
    batchesPerEpoch: batches.batchesPerEpoch,
    async *epoch(...position) {
      for (const batch of batches.epoch(...position)) {
        await new Promise((resolve) => setTimeout(resolve));
        yield batch;
      }
    },
  };
}

/** Trains a small network with auxiliary heads of the same kind on each module, and evaluates it. */
async function metricsOf(head, epochs) {
  const splits = await load();
  const scope = createScope(1);
  const backbone = withOutputHead(cifarResNet({ depth: 8, width: 4 }), head).build({
    inputShape: splits.train.imageShape,
    classes: 1,
    scope,
  });
  const network = createNetwork(backbone, [2, 2]);
  const plan = independentPlan('acme', network, head);
  expect(plan.objectives).toContainEqual(finalObjective(2));
  const compiled = compilePlan(network, plan, { scope });
  const batches = createBatches(splits.train, { batchSize: 16, shuffle: true });
  const { normalization } = batches;
  return train({
    compiled,
    epochs,
    optimizer: adam({ learningRate: 0.01 }),
    learningRate: 0.01,
    batches: asynchronous(batches),
    testBatches: createBatches(splits.test, { batchSize: 32, normalization }),
  });
}

describe('tasks without classes', { timeout: 120_000 }, () => {
  it('regression: the center of the square, from asynchronous batches', async () => {
    const { testMetrics, testAccuracy } = await metricsOf(meanSquaredErrorHead({ outputs: 2 }), 12);
    // Guessing the mean gives about 0.2.
    expect(testMetrics.loss).toBeLessThan(0.12);
    expect(testAccuracy).toBe(null);
  });

  it('dense prediction: the pixels of the square', async () => {
    const { testMetrics } = await metricsOf(pixelCrossEntropyHead({ classes: 2 }), 20);
    // About nine tenths of all pixels are background.
    expect(testMetrics.loss).toBeLessThan(0.3);
    expect(testMetrics.accuracy).toBeGreaterThan(0.9);
  });
});

it('a data set has more classes than a byte can number', async () => {
  const { train: images } = await squares({ train: 40, test: 1 });
  const classes = Array.from({ length: 1000 }, (_, label) => `class ${label}`);
  const labels = Uint16Array.from({ length: 40 }, (_, index) => 999 - index);
  const batches = createBatches({ ...images, classes, labels }, { batchSize: 40 });
  const [batch] = batches.epoch(1);
  expect([...(await batch.targets.labels.data())].sort((a, b) => b - a)).toEqual([...labels]);
  expect(Object.keys(batch.targets).sort()).toEqual(['labels', 'masks', 'values']);
});
