import { cifarResNet } from '@localgrad/backbones';
import { type BackendHandle, selectBackend } from '@localgrad/backends';
import { standardCatalog } from '@localgrad/catalog';
import { clockAt, createNetwork, type Optimizer, resolvePartition } from '@localgrad/core';
import { compilePlan, createTrainStep } from '@localgrad/engine';
import { adamw, sgd } from '@localgrad/nn/optimizers';
import { createRandom, createScope } from '@localgrad/nn/random';
import * as tf from '@tensorflow/tfjs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

/** The native binding, as far as this file uses it. */
interface Binding {
  createTensor(...parameters: readonly unknown[]): number;
}

const isNative = process.env.LOCALGRAD_TEST_BACKEND === 'tensorflow';
const batch = 24;
const methods = ['backprop', 'dgl(head: 1c2f)', 'infopro', 'mlaan(greedy)'];

describe.skipIf(!isNative)('a step on native TensorFlow', { timeout: 120_000 }, () => {
  let backend: BackendHandle | undefined;
  let uploads = 0;

  beforeAll(async () => {
    (await selectBackend('tensorflow')).dispose();
    // The binding's own functions cannot be replaced: kernels that are created from now on get a copy of it.
    const native = tf.backend() as tf.KernelBackend & { binding: Binding };
    const { binding } = native;
    const entries = Object.getOwnPropertyNames(binding).map((name) => [name, Reflect.get(binding, name)] as const);
    native.binding = {
      ...Object.fromEntries(entries),
      createTensor(...parameters) {
        uploads++;
        return binding.createTensor(...parameters);
      },
    };
    backend = await selectBackend('tensorflow');
  }, 120_000);
  afterAll(() => backend?.dispose());

  /** Uploads of each step once the first ones have created state and constants. */
  function uploadsPerStep(method: string, createOptimizer: () => Optimizer, isScheduled: boolean): number[] {
    const scope = createScope(1);
    const built = cifarResNet({ depth: 8, widths: [4, 4, 8, 8] }).build({ inputShape: [8, 8, 3], classes: 4, scope });
    const network = createNetwork(built, resolvePartition(built.blocks, { modules: 3 }));
    const compiled = compilePlan(network, standardCatalog.method(method).plan(network), { scope });
    const optimizer = createOptimizer();
    const rate = ({ fraction }: { readonly fraction: number }) => (isScheduled ? 0.1 * (1 - fraction) : 0.1);
    const step = createTrainStep({ compiled, optimizer, learningRate: { config: {}, rate } });
    const random = createRandom(1, 'batch');
    const counts: number[] = [];
    for (let index = 0; index < 6; index++) {
      const images = tf.tensor4d(
        Float32Array.from({ length: batch * 192 }, () => random.uniform()),
        [batch, 8, 8, 3],
      );
      const labels = tf.tensor1d(
        Int32Array.from({ length: batch }, () => random.integer(4)),
        'int32',
      );
      uploads = 0;
      const { losses, terms } = step.run({ images, targets: { labels, images } }, clockAt(index, 1, 10));
      counts.push(uploads);
      tf.dispose([images, labels, ...losses.values(), ...terms.values()]);
    }
    step.dispose();
    optimizer.dispose();
    for (const parameter of scope.all().values()) parameter.dispose();
    return counts.slice(3);
  }

  it.each(methods)('of %s uploads its images and labels only', (method) => {
    expect(uploadsPerStep(method, () => sgd({ learningRate: 0.1 }), false)).toEqual([2, 2, 2]);
  });

  it('uploads a learning rate that changes once, for all weights', () => {
    const counts = uploadsPerStep('dgl(head: 1c2f)', () => sgd({ learningRate: 0.1 }), true);
    expect(Math.max(...counts)).toBe(3);
  });

  it('uploads the few numbers of AdamW that change, for all weights', () => {
    const counts = uploadsPerStep('dgl(head: 1c2f)', () => adamw({ learningRate: 0.1 }), false);
    expect(Math.max(...counts)).toBeLessThanOrEqual(6);
  });
});
