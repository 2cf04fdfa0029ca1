import { cifarResNet } from '@localgrad/backbones';
import {
  createNetwork,
  type HeadContext,
  type Network,
  type Objective,
  resolvePartition,
  startOfTraining,
} from '@localgrad/core';
import { compilePlan } from '@localgrad/engine';
import { createScope } from '@localgrad/nn/random';
import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { type InfoProOptions, infopro, presetWeights } from './index.js';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

function networkOf(modules: number): Network {
  const backbone = cifarResNet({ depth: 32 }).build({ inputShape: [32, 32, 3], classes: 10, scope: createScope(1) });
  return createNetwork(backbone, resolvePartition(backbone.blocks, { modules }));
}

/** Builds a head like the engine does, on small feature maps with `channels`. */
function build(objective: Objective | undefined, module: number, modules: number, channels = 2) {
  const context: HeadContext = {
    module,
    modules,
    inputShape: [4, 4, channels],
    moduleInputShape: [8, 8, 3],
    finalShape: [2, 2, 8],
    classes: 3,
    imageShape: [8, 8, 3],
  };
  const head = objective?.head.factory?.build(context, createScope(1).scope('heads'));
  if (head === undefined) throw new Error('no head');
  return head;
}

const batch = () => ({
  h: tf.randomNormal([4, 4, 4, 2], 0, 1, 'float32', 1) as tf.Tensor4D,
  targets: {
    labels: tf.tensor1d([0, 1, 2, 0], 'int32'),
    images: tf.randomUniform([4, 8, 8, 3], 0, 1, 'float32', 2) as tf.Tensor4D,
  },
});

/** λ1 of each local module that has one, derived from the loss of a head without a classifier. */
function reconstructionWeights(options: InfoProOptions, modules: number): number[] {
  const plan = infopro({ ...options, ixy1: 0, ixy2: 0 }).plan(networkOf(modules));
  const local = plan.objectives.slice(0, -1).filter(({ weight }) => weight !== 0);
  return local.map((objective, module) => {
    const head = build(objective, module, modules);
    const { h, targets } = batch();
    const mode = { training: false, statisticsUpdates: 0 };
    const { loss, terms } = head.evaluate(h, targets, { mode, weight: 1, input: false, clock: startOfTraining });
    return (loss.dataSync()[0] as number) / (terms?.get('reconstruction')?.dataSync()[0] as number);
  });
}

describe('infopro', () => {
  it('interpolates over the modules (docs/methods/infopro.md §2)', () => {
    const expected = [5, 4.1667, 3.3333, 2.5, 1.6667, 0.8333];
    const found = reconstructionWeights({ ixx1: 5, ixx2: 0 }, 8);
    expect(found).toHaveLength(6);
    for (const [module, value] of expected.entries()) expect(found[module]).toBeCloseTo(value, 3);
    expect(reconstructionWeights({ ixx1: 5, ixx2: 3 }, 2)[0]).toBeCloseTo(5, 4);
    const byStage = reconstructionWeights({ ixx1: 6, ixx2: 0, lambdaIndex: 'stage' }, 8);
    // Modules end in stages 1 1 1 2 2 3 3: r = stage / 6.
    for (const [module, value] of [5, 5, 5, 4, 4, 3, 3].entries()) expect(byStage[module]).toBeCloseTo(value, 3);
    const byNext = reconstructionWeights({ ixx1: 6, ixx2: 0, lambdaIndex: 'nextStage' }, 8);
    // The blocks after them are in stages 1 1 2 2 2 3 3.
    for (const [module, value] of [5, 5, 4, 4, 4, 3, 3].entries()) expect(byNext[module]).toBeCloseTo(value, 3);
  });

  it('omits the objective of a module whose weights are 0', () => {
    const plan = infopro({ ixx1: 5, ixy1: 0.5, ixx2: 0, ixy2: 0 }).plan(networkOf(4));
    expect(plan.objectives.map(({ weight }) => weight)).toEqual([1, 1, 0, 1]);
  });

  it.each([
    [16, 2091],
    [32, 3819],
    [64, 7275],
  ])('has the decoder of the reference code at %i channels: %i weights', (channels, count) => {
    const [objective] = infopro({ ixy1: 0, ixy2: 0, ixx1: 1, ixx2: 1 }).plan(networkOf(4)).objectives;
    const head = build(objective, 0, 4, channels);
    expect(head.parameters.reduce((sum, { size }) => sum + size, 0)).toBe(count);
    expect(head.parameters.map(({ name }) => name)).toContain('heads.decoder.3.weight');
    expect(head.reads).toEqual(['images']);
  });

  it('reconstructs the input of the module on request, without images in the batch', () => {
    const network = networkOf(4);
    for (const patches of [1, 2]) {
      const compiled = compilePlan(network, infopro({ reconstruct: 'input', patches }).plan(network), {
        scope: createScope(2),
        targets: ['labels'],
      });
      expect(compiled.reads).toEqual(['labels']);
      const outputs = network.modules.slice(0, -1).map(({ index }) => {
        const [head] = compiled.heads.get(index) ?? [];
        return head?.head.parameters.filter(({ name }) => name.endsWith('decoder.3.bias')).map(({ size }) => size);
      });
      // Module 0 receives images, modules 1 and 2 end in stages 1 and 2.
      const channels = [3, ...network.modules.slice(0, 2).map(({ outputShape }) => outputShape[2])];
      expect(outputs).toEqual(channels.map((count) => Array.from({ length: patches ** 2 }, () => count)));
    }
  });

  it('has decoder and head of the ImageNet networks on request', () => {
    const options: InfoProOptions = { decoder: 'imagenet', head: 'infopro-imagenet', ixx1: 5, ixy1: 0.75, ixx2: 5 };
    const [objective] = infopro(options).plan(networkOf(2)).objectives;
    const head = build(objective, 0, 2, 2);
    expect(head.reads).toEqual(['images', 'labels']);
    const layers = [...new Set(head.parameters.map(({ name }) => name.split('.').slice(1, 3).join('.')))];
    // Upsampling and ReLU have an index and no weights.
    expect(layers.filter((layer) => layer.startsWith('decoder'))).toEqual(
      [0, 1, 4, 5, 8, 9, 12].map((index) => `decoder.${index}`),
    );
    expect(layers.at(-1)).toBe('head.14');
  });

  it('has the losses of greedy learning with ixx = 0 and 0c1f heads', () => {
    const [objective] = infopro({ head: '0c1f', ixx1: 0, ixx2: 0, ixy1: 1, ixy2: 1 }).plan(networkOf(4)).objectives;
    const head = build(objective, 0, 4);
    expect(head.parameters.map(({ name }) => name)).toEqual(['heads.head.2.weight', 'heads.head.2.bias']);
    expect(head.reads).toEqual(['labels']);
  });

  it('computes the gradients of the weighted sum', () => {
    const options = { ixx1: 3, ixy1: 0.5, ixx2: 3, ixy2: 0.5, featureDimension: 6 };
    for (const loss of ['softmax', 'contrast'] as const) {
      const [objective] = infopro({ ...options, loss }).plan(networkOf(4)).objectives;
      const head = build(objective, 0, 4);
      const { h, targets } = batch();
      const request = {
        mode: { training: true, statisticsUpdates: 0 },
        weight: 2,
        input: true,
        clock: startOfTraining,
      };
      const value = (x: tf.Tensor4D) => head.evaluate(x, targets, request).loss.dataSync()[0] as number;
      const { input, terms } = head.evaluate(h, targets, request);
      expect([...(terms?.keys() ?? [])]).toEqual([
        'reconstruction',
        loss === 'contrast' ? 'contrast' : 'classification',
      ]);
      const direction = tf.randomNormal(h.shape, 0, 1, 'float32', 5) as tf.Tensor4D;
      const along = tf.sum(tf.mul(direction, input as tf.Tensor)).dataSync()[0] as number;
      const moved = (amount: number) => tf.add<tf.Tensor4D>(h, tf.mul(direction, amount));
      const errors = [3e-3, 1e-3].map((step) =>
        Math.abs((2 * (value(moved(step)) - value(moved(-step)))) / (2 * step) - along),
      );
      expect(Math.min(...errors)).toBeLessThan(2e-2 * Math.max(1, Math.abs(along)));
    }
  });

  it('has the tuned weights of the original code', () => {
    expect(presetWeights('cifar10-resnet32', 8)).toEqual({ ixx1: 5, ixy1: 0, ixx2: 0, ixy2: 2 });
    expect(presetWeights('stl10-resnet110-balanced', 3)).toEqual({ ixx1: 20, ixy1: 0.5, ixx2: 5, ixy2: 2 });
    expect(infopro({ preset: 'cifar10-resnet32' }).plan(networkOf(16)).objectives).toHaveLength(16);
  });

  it.each<[object, RegExp]>([
    [{ head: 'dgl-cnn' }, /1c2f/],
    [{ head: '9c9f' }, /9c9f/],
    [{ loss: 'hinge' }, /softmax, contrast/],
    [{ ixx1: -1 }, /ixx1/],
    [{ preset: 'cifar10' }, /cifar10-resnet32/],
    [{ preset: 'cifar10-resnet32', ixx1: 1 }, /mutually exclusive/],
    [{ temperature: 1 }, /contrast/],
    [{ lambda: 1 }, /lambdaIndex/],
    [{ reconstruct: 'features' }, /image, input/],
    [{ decoder: 'large' }, /small, imagenet/],
    [{ decoder: 'imagenet', reconstruct: 'input' }, /reconstructs images/],
    [
      { head: 'infopro-imagenet', loss: 'contrast' },
      /^infopro: head 'infopro-imagenet' has no option 'loss'; heads that have it: 0c1f/,
    ],
  ])('rejects options %j', (options, message) => {
    expect(() => infopro(options as InfoProOptions)).toThrow(message);
  });

  it('reports missing presets and stages for a network', () => {
    expect(() => infopro({ preset: 'cifar10-resnet32' }).plan(networkOf(5))).toThrow(/5 modules.*2, 4, 8, 16/s);
    expect(() => infopro({ lambdaIndex: 'stage' }).plan(networkOf(3))).toThrow(/stage.*modules/s);
    expect(() => infopro({ lambdaIndex: 'nextStage' }).plan(networkOf(4))).toThrow(/'nextStage' is 3 at module 2/);
  });

  it('has a config with the passed options', () => {
    expect(infopro({ ixx1: 1, loss: 'contrast' }).config).toEqual({ method: 'infopro', ixx1: 1, loss: 'contrast' });
  });
});
