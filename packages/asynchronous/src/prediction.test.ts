import { cifarResNet } from '@localgrad/backbones';
import { type BackendHandle, selectBackend } from '@localgrad/backends';
import { clockAt, createNetwork, resolvePartition } from '@localgrad/core';
import { dgl } from '@localgrad/dgl';
import { compilePlan } from '@localgrad/engine';
import { MemoryMeter } from '@localgrad/kernels';
import { sgd } from '@localgrad/nn/optimizers';
import { createScope } from '@localgrad/nn/random';
import * as tf from '@tensorflow/tfjs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { asynchronous } from './index.js';

let backend: BackendHandle;
beforeAll(async () => {
  backend = await selectBackend('wasm', { threads: 1 });
});
afterAll(() => backend.dispose());

const batchSize = 16;

/** Measured over predicted peak memory, once the buffers are full. */
function ratioOf(sizes: readonly number[], bufferSize: number, accumulate: number) {
  const meter = new MemoryMeter();
  const scope = createScope(3);
  const backbone = cifarResNet({ depth: 14, widths: [8, 8, 16, 32] }).build({
    inputShape: [16, 16, 3],
    classes: 10,
    scope,
  });
  const network = createNetwork(backbone, resolvePartition(backbone.blocks, { sizes }));
  const compiled = compilePlan(network, dgl().plan(network), { scope });
  const optimizer = sgd({ learningRate: 0.01, momentum: 0.9 });
  const step = asynchronous({ bufferSize })({ compiled, optimizer, accumulate });
  for (let now = 0; now < bufferSize + 3; now++) {
    if (now === bufferSize + 1) meter.reset();
    const images = tf.randomNormal<tf.Rank.R4>([batchSize, 16, 16, 3]);
    const labels = tf.zeros<tf.Rank.R1>([batchSize], 'int32');
    const { losses, terms } = step.run({ images, targets: { labels } }, clockAt(now, 1, 8));
    tf.dispose([...losses.values(), ...terms.values(), images, labels]);
  }
  const { peakBytes, modules } = step.predict(batchSize);
  const ratio = meter.peakBytes / peakBytes;
  step.dispose();
  optimizer.dispose();
  for (const parameter of scope.all().values()) parameter.dispose();
  meter.detach();
  return { ratio, largest: modules.indexOf(Math.max(...modules)) };
}

describe('the predicted peak of asynchronous training', () => {
  it.each<[readonly number[], number, number]>([
    [[3, 1, 1, 2], 1, 0],
    [[1, 2, 2, 2], 2, 1],
    [[1, 2, 2, 2], 3, 1],
  ])('is within a thousandth of the measured one: modules of %j blocks, %i slots', (sizes, bufferSize, module) => {
    const { ratio, largest } = ratioOf(sizes, bufferSize, 1);
    expect(largest).toBe(module);
    expect(Math.abs(ratio - 1)).toBeLessThan(0.001);
  });

  it.each<[number]>([[2], [4]])('is at most a hundredth above the measured one with %i micro-batches', (accumulate) => {
    const { ratio } = ratioOf([1, 2, 2, 2], 2, accumulate);
    expect(ratio).toBeLessThan(1.0001);
    expect(ratio).toBeGreaterThan(0.99);
  });
});
