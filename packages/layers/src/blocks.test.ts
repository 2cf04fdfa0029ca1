import { at, type Block, type ParameterScope } from '@localgrad/core';
import { createScope } from '@localgrad/nn/random';
import { describeBlock } from '@localgrad/testing';
import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import type { NormStatistics } from './blocks/layer-context.js';
import { layerGraph } from './layer-graph.js';
import type { LayerVariable } from './layer-weights.js';
import { after, difference, randomize } from './models.fixture.js';
import { segmentBlock } from './segment-block.js';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

const { layers } = tf;

/** The block of a whole graph, with freshly initialized weights unless `own`. */
function blockOf(
  model: tf.LayersModel,
  scope: ParameterScope,
  options: { readonly own?: boolean; readonly statistics?: NormStatistics } = {},
): Block {
  const { nodes, inputShape } = layerGraph(model);
  const [height = 1, width = 1, channels = 1] = inputShape;
  const { own = false, statistics = 'layer' } = options;
  const source = own ? { readWeight: (variable: LayerVariable) => variable.read().clone() } : {};
  return segmentBlock({ start: 0, nodes }, [height, width, channels], scope, { source, statistics });
}

function chain(shape: readonly number[], ...members: tf.layers.Layer[]): tf.LayersModel {
  const input = tf.input({ shape: [...shape] });
  let x: tf.SymbolicTensor = input;
  for (const member of members) x = after(member, x);
  return tf.model({ inputs: input, outputs: x });
}

function branching(): tf.LayersModel {
  const input = tf.input({ shape: [5, 4, 2] });
  const left = after(
    layers.conv2d({ name: 'left', filters: 2, kernelSize: 3, padding: 'same', activation: 'tanh' }),
    input,
  );
  const right = after(layers.depthwiseConv2d({ name: 'right', kernelSize: 3, padding: 'same' }), input);
  const product = after(layers.multiply({ name: 'product' }), [left, right]);
  const sum = after(layers.add({ name: 'sum' }), [product, input, left]);
  const joined = after(layers.concatenate({ name: 'joined' }), [sum, input]);
  return tf.model({ inputs: input, outputs: after(layers.conv2d({ name: 'end', filters: 2, kernelSize: 1 }), joined) });
}

const own: Readonly<Record<string, () => tf.LayersModel>> = {
  'of an asymmetrically padded convolution': () =>
    chain([6, 5, 2], layers.conv2d({ name: 'a', filters: 2, kernelSize: 3, strides: 2, padding: 'same' })),
  'of average pooling with padding': () =>
    chain([5, 5, 2], layers.averagePooling2d({ name: 'a', poolSize: 3, strides: 2, padding: 'same' })),
  'of oblong maximum pooling': () =>
    chain([5, 6, 2], layers.maxPooling2d({ name: 'a', poolSize: [3, 2], strides: [2, 1], padding: 'valid' })),
  'of global maximum pooling': () => chain([3, 4, 2], layers.globalMaxPooling2d({ name: 'a' })),
  'of zero padding and a bounded ReLU': () =>
    chain(
      [3, 3, 2],
      layers.zeroPadding2d({
        name: 'a',
        padding: [
          [1, 0],
          [2, 1],
        ],
      }),
      layers.reLU({ name: 'b', maxValue: 1 }),
    ),
  'of an oblong convolution': () =>
    chain([6, 5, 2], layers.conv2d({ name: 'a', filters: 2, kernelSize: [1, 3], strides: [2, 1], padding: 'same' })),
  'of a dilated convolution': () =>
    chain(
      [6, 7, 2],
      layers.conv2d({ name: 'a', filters: 2, kernelSize: [2, 3], dilationRate: [3, 2], padding: 'same' }),
    ),
  'of a transposed convolution and layer norm on the tape': () =>
    chain(
      [3, 3, 2],
      layers.conv2dTranspose({ name: 'a', filters: 2, kernelSize: 3, strides: 2 }),
      layers.layerNormalization({ name: 'b' }),
    ),
  'of layer norms over channels and over other axes': () =>
    chain(
      [3, 3, 2],
      layers.layerNormalization({ name: 'a', scale: false }),
      layers.dense({ name: 'b', units: 3 }),
      layers.layerNormalization({ name: 'c', axis: [1, 2, 3] }),
    ),
  'of a graph with branches': branching,
  'of batch norm and dropout': () =>
    chain([3, 3, 2], layers.batchNormalization({ name: 'a' }), layers.dropout({ name: 'b', rate: 0.5 })),
};

for (const [name, create] of Object.entries(own))
  describeBlock(name, (scope) => blockOf(create(), scope), { batch: 2 });

describe('running statistics', () => {
  it.each<[NormStatistics, number]>([
    ['layer', 1],
    ['pytorch', 18 / 17],
  ])('of %s move by the batch’s variance times %d', (statistics, factor) => {
    const model = chain([3, 3, 1], layers.batchNormalization({ name: 'norm', momentum: 0.75 }));
    const scope = createScope(1);
    const block = blockOf(model, scope, { own: true, statistics });
    const x = tf.randomNormal<tf.Rank.R4>([2, 3, 3, 1], 1, 2, 'float32', 3);
    const pass = block.forward(x, { training: true, statisticsUpdates: 1 });
    pass.release();
    const { mean, variance } = tf.moments(x);
    const [runningMean, runningVariance] = block.statistics.map(({ value }) => value.dataSync()[0] ?? Number.NaN);
    expect(runningMean).toBeCloseTo(0.25 * (mean.dataSync()[0] ?? 0), 5);
    expect(runningVariance).toBeCloseTo(0.75 + 0.25 * factor * (variance.dataSync()[0] ?? 0), 5);
  });

  it('of a layer equal those of its own training step', () => {
    const model = chain([3, 3, 2], layers.batchNormalization({ name: 'norm' }));
    randomize(model);
    const block = blockOf(model, createScope(1), { own: true });
    const x = tf.randomNormal<tf.Rank.R4>([4, 3, 3, 2], 1, 2, 'float32', 3);
    block.forward(x, { training: true, statisticsUpdates: 1 }).release();
    model.apply(x, { training: true });
    const expected = at(model.layers, 1, 'layer').getWeights().slice(2);
    for (const [index, { value }] of block.statistics.entries()) {
      const difference = tf
        .sub(value, at(expected, index, 'weight'))
        .abs()
        .max()
        .dataSync()[0];
      expect(difference).toBeLessThan(1e-6);
    }
  });
});

it.each([{}, { epsilon: 0.1, center: false }, { scale: false }, { axis: [3] }])(
  'layer norm with %j computes what the layer does',
  (options) => {
    const model = chain([3, 3, 5], layers.layerNormalization({ name: 'a', ...options }));
    randomize(model);
    const block = blockOf(model, createScope(1), { own: true });
    const x = tf.randomNormal<tf.Rank.R4>([2, 3, 3, 5], 1, 2, 'float32', 3);
    const found = block.forward(x, { training: false, statisticsUpdates: 0 }).output;
    expect(difference(found, model.predict(x) as tf.Tensor)).toBeLessThan(1e-5);
  },
);

describe('weights', () => {
  it('that are not trainable are frozen', () => {
    const model = chain(
      [4, 4, 1],
      layers.conv2d({ name: 'a', filters: 2, kernelSize: 3, trainable: false }),
      layers.dense({ name: 'b', units: 2 }),
    );
    const block = blockOf(model, createScope(1), { own: true });
    expect(block.parameters.map(({ name, kind }) => [name, kind])).toEqual([
      ['a.weight', 'frozen'],
      ['a.bias', 'frozen'],
      ['b.weight', 'weight'],
      ['b.bias', 'weight'],
    ]);
  });

  it('that a batch norm does not have are constant', () => {
    const model = chain([2, 2, 1], layers.batchNormalization({ name: 'a', scale: false }));
    const block = blockOf(model, createScope(1), { own: true });
    expect(block.parameters.map(({ name, kind }) => [name, kind])).toEqual([
      ['a.weight', 'frozen'],
      ['a.bias', 'weight'],
    ]);
  });

  it('of copies have the variance of the layer’s initializer', () => {
    const kernelInitializer = 'heNormal';
    const model = chain([1, 1, 100], layers.dense({ name: 'a', units: 100, kernelInitializer }));
    const block = blockOf(model, createScope(1), { own: true }).replicate(createScope(2).scope('copy'));
    // Keras cuts the normal distribution off at two deviations, which leaves 77 % of its variance.
    const { mean, variance } = tf.moments(at(block.parameters, 0, 'weight').value);
    expect(at(block.parameters, 0, 'weight').name).toBe('copy.a.weight');
    expect(Math.abs(mean.dataSync()[0] ?? 1)).toBeLessThan(0.01);
    expect(variance.dataSync()[0]).toBeGreaterThan(0.75 * 0.02);
    expect(variance.dataSync()[0]).toBeLessThan(0.8 * 0.02);
    expect(
      at(block.parameters, 1, 'weight')
        .value.dataSync()
        .every((value) => value === 0),
    ).toBe(true);
  });

  it('of copies of depthwise convolutions are initialized as their layers', () => {
    const depthwiseInitializer = tf.initializers.constant({ value: 2 });
    const model = chain(
      [4, 4, 2],
      layers.depthwiseConv2d({ name: 'a', kernelSize: 2, depthwiseInitializer }),
      layers.separableConv2d({ name: 'b', filters: 2, kernelSize: 2, depthwiseInitializer }),
    );
    const copy = blockOf(model, createScope(1), { own: true }).replicate(createScope(2));
    const first = (name: string) => copy.parameters.find((one) => one.name === name)?.value.dataSync()[0];
    expect(['a.weight', 'b.depthwise.weight'].map(first)).toEqual([2, 2]);
  });
});
