import { cifarResNet, imageNetResNet } from '@localgrad/backbones';
import { backprop } from '@localgrad/backprop';
import { createNetwork, type LocalLearningMethod, resolvePartition, startOfTraining } from '@localgrad/core';
import { dgl } from '@localgrad/dgl';
import { compilePlan, createTrainStep } from '@localgrad/engine';
import { greedy } from '@localgrad/greedy';
import { mlaan } from '@localgrad/mlaan';
import { sgd } from '@localgrad/nn/optimizers';
import { createScope } from '@localgrad/nn/random';
import * as tf from '@tensorflow/tfjs';
import { afterAll, describe, expect, it } from 'vitest';
import { startNullDevice } from '../recorded/null-device.fixture.js';

/** Dispatches can be counted without a GPU. */
const runtime = await startNullDevice();
afterAll(() => runtime?.dispose());

/** Counts dispatches until it is stopped. */
function countDispatches(): { count: number; stop(): void } {
  const { GPUComputePassEncoder } = globalThis as unknown as {
    GPUComputePassEncoder: { prototype: { dispatchWorkgroups(...sizes: number[]): void } };
  };
  const { prototype } = GPUComputePassEncoder;
  const { dispatchWorkgroups } = prototype;
  const counter = {
    count: 0,
    stop() {
      prototype.dispatchWorkgroups = dispatchWorkgroups;
    },
  };
  prototype.dispatchWorkgroups = function (...sizes) {
    counter.count++;
    dispatchWorkgroups.apply(this, sizes);
  };
  return counter;
}

function dispatchesOf(method: LocalLearningMethod, modules: number, backbone = cifarResNet({ depth: 32 })): number {
  const scope = createScope(1);
  const built = backbone.build({ inputShape: [32, 32, 3], classes: 10, scope });
  const network = createNetwork(built, resolvePartition(built.blocks, { modules }));
  const compiled = compilePlan(network, method.plan(network), { scope });
  const step = createTrainStep({ compiled, optimizer: sgd({ learningRate: 0.1 }) });
  const images = tf.randomNormal<tf.Rank.R4>([2, 32, 32, 3]);
  const labels = tf.tensor1d([0, 1], 'int32');
  const run = () => {
    const { losses, terms } = step.run({ images, targets: { labels } }, startOfTraining);
    tf.dispose([...losses.values(), ...terms.values()]);
  };
  // The first step creates the optimizer's state, the second finds it where the first has put it.
  run();
  run();
  const counter = countDispatches();
  run();
  counter.stop();
  return counter.count;
}

/** MLAAN has the most dispatches: most of the time of this file. */
const slow =
  process.env.LOCALGRAD_TESTS === 'all' ? ([['with MLAAN, K = 16', mlaan(greedy()), 16, 2300]] as const) : [];

describe.skipIf(runtime === undefined)('a step on webgpu', { timeout: 300_000 }, () => {
  it.each([['end to end', backprop(), 1, 320], ['with DGL, K = 16', dgl({ head: '1c2f' }), 16, 700], ...slow] as const)(
    'ResNet-32 %s takes few dispatches',
    (_, method, modules, most) => {
      const found = dispatchesOf(method, modules);
      expect(found).toBeLessThanOrEqual(most);
      expect(found).toBeGreaterThan(most / 2);
    },
  );

  it('of ResNeXt takes about as many dispatches as of a ResNet, whatever the number of groups', () => {
    const layers = [1, 1, 1, 1] as const;
    const of = (groups: number) =>
      dispatchesOf(backprop(), 1, imageNetResNet({ depth: 50, width: 16, layers, groups, widthPerGroup: 64 / groups }));
    const [plain, grouped] = [of(1), of(16)];
    expect(of(4)).toBe(grouped);
    // Three operations in each of four blocks, whose parts a plain convolution combines with others.
    expect(grouped - plain).toBeLessThanOrEqual(4 * 3);
  });
});
