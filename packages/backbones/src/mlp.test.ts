import { at, createNetwork, evaluationMode, get, resolvePartition, trainingMode } from '@localgrad/core';
import { createScope } from '@localgrad/nn/random';
import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { backboneFactory, type MlpOptions, mlp } from './index.js';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

const build = (options: MlpOptions = {}, classes = 10) =>
  mlp(options).build({ inputShape: [28, 28, 1], classes, scope: createScope(1) });

describe('mlp', () => {
  it('has the parameters of the published network of 2.9 million', () => {
    const { blocks, classifier } = build();
    const owners = [...blocks.map(({ block }) => block), classifier];
    const parameters = owners.flatMap((owner) => owner.parameters);
    const hidden = (inputs: number) => inputs * 1024 + 1024 + 2 * 1024;
    const count = hidden(784) + 2 * hidden(1024) + 1024 * 10 + 10;
    expect(parameters.reduce((sum, { size }) => sum + size, 0)).toBe(count);
    expect(count).toBe(2_919_434);
    expect(parameters.map(({ name }) => name)).toContain('layer1.2.bn.bias');
  });

  it('has one block per hidden layer, and one without weights before the output layer', () => {
    const { blocks, classifier } = build({ layers: 2, width: 5 });
    expect(blocks.map(({ reference, block }) => [...reference, block.outputShape[2], block.parameters.length])).toEqual(
      [
        [0, 0, 784, 0],
        [1, 0, 5, 4],
        [1, 1, 5, 4],
        [2, 0, 5, 0],
      ],
    );
    expect(classifier.inputShape).toEqual([1, 1, 5]);
    const network = createNetwork(build({ width: 5 }), resolvePartition(build({ width: 5 }).blocks, { modules: 4 }));
    expect(network.modules.map((module) => module.blocks.length)).toEqual([2, 1, 1, 1]);
  });

  it('drops values where a hidden layer is read, so that its own output is complete', () => {
    const { blocks } = build({ width: 64, dropout: 0.5 });
    const noise = { seed: 1, step: 0, part: 0 };
    const zerosIn = (index: number, x: tf.Tensor4D) => {
      const { block } = at(blocks, index, 'block');
      const { output } = block.forward(x, { ...trainingMode, noise });
      return output.dataSync().filter((value) => value === 0).length / output.size;
    };
    const last: tf.Tensor4D = tf.ones([8, 1, 1, 64]);
    expect(zerosIn(4, last)).toBeGreaterThan(0.4);
    expect(zerosIn(4, last)).toBeLessThan(0.6);
    // The first hidden layer reads the image; relu turns about half of its values into zeros, leakyRelu none.
    const first = at(build({ width: 64, dropout: 0.5, activation: 'leakyRelu' }).blocks, 1, 'block').block;
    const { output } = first.forward(tf.randomNormal([8, 1, 1, 784]), { ...trainingMode, noise });
    expect(output.dataSync().filter((value) => value === 0)).toHaveLength(0);
  });

  it('reads the pixels of color images in the order of PyTorch, channel by channel', () => {
    const { blocks } = mlp({ width: 5 }).build({ inputShape: [2, 3, 3], classes: 10, scope: createScope(1) });
    const pixels = tf.range(0, 18).reshape<tf.Tensor4D>([1, 2, 3, 3]);
    const { output } = at(blocks, 0, 'stem').block.forward(pixels, evaluationMode);
    expect([...output.dataSync()]).toEqual([0, 3, 6, 9, 12, 15, 1, 4, 7, 10, 13, 16, 2, 5, 8, 11, 14, 17]);
  });

  it('matches a forward pass in ordinary operations', () => {
    const backbone = build({ layers: 2, width: 6, activation: 'leakyRelu', dropout: 0.3 }, 3);
    const parameters = backbone.blocks.flatMap(({ block }) => [...block.parameters, ...block.statistics]);
    const byName = new Map([...parameters, ...backbone.classifier.parameters].map((one) => [one.name, one]));
    const weightOf = (layer: string): tf.Tensor2D => {
      const { value, shape } = get(byName, `${layer}.weight`, 'weight');
      return tf.reshape(value, [at(shape, 0, 'axis'), at(shape, 1, 'axis')]);
    };
    const linear = (layer: string, rows: tf.Tensor2D): tf.Tensor2D =>
      tf.add(tf.matMul(rows, weightOf(layer)), get(byName, `${layer}.bias`, 'bias').value);
    const x: tf.Tensor4D = tf.randomNormal([4, 28, 28, 1], 0, 1, 'float32', 3);
    let rows: tf.Tensor2D = tf.reshape(x, [4, 784]);
    for (const layer of ['layer1.0', 'layer1.1']) {
      const product = linear(`${layer}.fc`, rows);
      // Running mean 0 and variance 1.
      rows = tf.leakyRelu(tf.div<tf.Tensor2D>(product, Math.sqrt(1 + 1e-5)), 0.01);
    }
    const expected = linear('fc', rows).dataSync();
    const features = backbone.blocks.reduce((h, { block }) => block.forward(h, evaluationMode).output, x);
    const found = backbone.classifier.predict?.(features).dataSync() ?? [];
    expect(found).toHaveLength(12);
    for (const [index, value] of [...expected].entries()) expect(at(found, index, 'score')).toBeCloseTo(value, 4);
  });

  it('starts with an output layer of zeros on request', () => {
    const weights = (options: MlpOptions) => [
      ...new Set(at(build({ width: 8, ...options }).classifier.parameters, 0, 'parameter').value.dataSync()),
    ];
    expect(weights({ zeroOutput: true })).toEqual([0]);
    expect(weights({}).length).toBeGreaterThan(70);
    expect(at(build({ zeroOutput: true }).classifier.parameters, 1, 'parameter').value.dataSync()[0]).not.toBe(0);
  });

  it('is rebuilt from its config', () => {
    const { config } = mlp({ layers: 2, width: 7, activation: 'leakyRelu', dropout: 0.1, zeroOutput: true });
    const { backbone, ...options } = JSON.parse(JSON.stringify(config));
    expect(backboneFactory(backbone, options).config).toEqual(config);
  });

  it.each<[string, RegExp]>([
    ['{ "layers": 0 }', /'layers' is 0.*1 to 100/],
    ['{ "width": 1.5 }', /'width' is 1.5/],
    ['{ "activation": "gelu" }', /relu, leakyRelu/],
    ['{ "dropout": 1 }', /numbers in \[0, 1\)/],
    ['{ "zeroOutput": "yes" }', /true, false/],
    ['{ "blocks": 3 }', /Unknown option of mlp 'blocks'/],
  ])('rejects %s', (options, message) => {
    expect(() => mlp(JSON.parse(options))).toThrow(message);
  });
});
