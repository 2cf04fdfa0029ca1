import { backboneFactory } from '@localgrad/backbones';
import { createNetwork, type Network, resolvePartition } from '@localgrad/core';
import { createRandom, createScope } from '@localgrad/nn/random';
import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import type { BatchSource, OwnedBatch } from './batch-source.js';
import { probeModules } from './probe.js';
import { fitRidge } from './ridge.js';

beforeAll(() => tf.setBackend('cpu'));

/** Images whose left half is brighter in class 1; labels are random if `informative` is false. */
function batches(samples: number, seed: number, informative: boolean): BatchSource {
  return {
    samples,
    batchSize: 32,
    batchesPerEpoch: Math.ceil(samples / 32),
    *epoch() {
      const random = createRandom(seed);
      for (let first = 0; first < samples; first += 32) {
        const labels = Array.from({ length: 32 }, () => random.integer(2));
        const values = labels.flatMap((label) =>
          Array.from({ length: 64 }, (_, pixel) => random.normal() + (informative && pixel % 8 < 4 ? 2 * label : 0)),
        );
        const images = tf.tensor4d(values, [32, 8, 8, 1]);
        const targets = { labels: tf.tensor1d(labels, 'int32') };
        yield { images, targets, dispose: () => tf.dispose([images, targets.labels]) };
      }
    },
  };
}

describe('fitRidge', () => {
  it('solves the normal equations', () => {
    // X = [[1, 0], [1, 1], [1, 2]], y = [1, 3, 5]: y = 1 + 2x.
    const solution = fitRidge([3, 3, 3, 5], [9, 13], 2, 1, 0);
    expect(solution[0]).toBeCloseTo(1, 6);
    expect(solution[1]).toBeCloseTo(2, 6);
  });

  it('handles collinear features, and rejects non-finite ones', () => {
    const [a = 0, b = 0] = fitRidge([2, 2, 2, 2], [4, 4], 2, 1, 1e-6);
    expect(a + b).toBeCloseTo(2, 3);
    expect(() => fitRidge([Number.NaN], [1], 1, 1, 1e-3)).toThrow(/non-finite features/);
  });
});

describe('probeModules', () => {
  it('separates separable classes, scores at chance on noise, and leaks no tensors', async () => {
    const scope = createScope(3);
    const backbone = backboneFactory('tiny').build({ inputShape: [8, 8, 1], classes: 2, scope });
    const network = createNetwork(backbone, resolvePartition(backbone.blocks, { modules: 2 }));
    const before = tf.memory().numTensors;
    const probe = (informative: boolean) =>
      probeModules({ network, batches: batches(320, 1, informative), testBatches: batches(320, 2, informative) });
    const separable = await probe(true);
    const noise = await probe(false);
    expect(tf.memory().numTensors).toBe(before);
    expect(separable).toHaveLength(2);
    for (const accuracy of separable) expect(accuracy).toBeGreaterThan(0.9);
    for (const accuracy of noise) expect(Math.abs(accuracy - 0.5)).toBeLessThan(0.12);
  });

  it('rejects features of test images that are not finite', async () => {
    const backbone = backboneFactory('tiny').build({ inputShape: [8, 8, 1], classes: 2, scope: createScope(3) });
    const network = createNetwork(backbone, resolvePartition(backbone.blocks, { modules: 2 }));
    const tests = batches(32, 2, true);
    const before = tf.memory().numTensors;
    const withNaN: BatchSource = {
      ...tests,
      *epoch(index) {
        for (const batch of tests.epoch(index) as Iterable<OwnedBatch>) {
          batch.images.dispose();
          yield { ...batch, images: tf.fill([32, 8, 8, 1], Number.NaN) as tf.Tensor4D };
        }
      },
    };
    const probing = probeModules({ network, batches: batches(64, 1, true), testBatches: withNaN });
    await expect(probing).rejects.toThrow(/non-finite features/);
    // The images of `withNaN`, which the batch does not dispose.
    expect(tf.memory().numTensors).toBe(before + 1);
  });

  it('leaks no tensors if a later module has diverged', async () => {
    const scope = createScope(3);
    const backbone = backboneFactory('tiny').build({ inputShape: [8, 8, 1], classes: 2, scope });
    const network = createNetwork(backbone, resolvePartition(backbone.blocks, { modules: 2 }));
    const diverged = { forward: () => ({ output: tf.fill([32, 2, 2, 4], Number.NaN), release: () => {} }) };
    const modules = network.modules.map((module, at) => (at === 0 ? module : { ...module, blocks: [diverged] }));
    const before = tf.memory().numTensors;
    const probing = probeModules({
      network: { ...network, modules } as unknown as Network,
      batches: batches(64, 1, true),
      testBatches: batches(64, 2, true),
    });
    await expect(probing).rejects.toThrow(/non-finite features/);
    expect(tf.memory().numTensors).toBe(before);
  });
});
