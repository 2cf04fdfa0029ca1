import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { fromLayersModel } from './index.js';
import { layerGraph } from './layer-graph.js';
import { after, mobileNet, sequentialCnn } from './models.fixture.js';
import { segmentsOf } from './segments.js';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

const { layers } = tf;
const names = (model: tf.LayersModel, cuts?: readonly string[]) =>
  segmentsOf(layerGraph(model), cuts).map(({ nodes }) => nodes.map(({ name }) => name).join(' '));

describe('blocks', () => {
  it('of a sequential model begin with weights', () => {
    expect(names(sequentialCnn())).toEqual([
      'conv1',
      'conv2 bn2 swish2',
      'separable3 pool3',
      'flatten dense4',
      'dropout scores',
    ]);
  });

  it('of a functional model contain whole branches', () => {
    const sorted = names(mobileNet()).map((text) => text.split(' ').sort().join(' '));
    expect(sorted).toEqual([
      'padding stem stem_bn stem_relu',
      'dw1 dw1_bn dw1_relu project1 project1_bn',
      'add2 dw2 dw2_bn dw2_relu expand2 expand2_bn expand2_relu project2 project2_bn',
      'excite factors scaled squeeze',
      'concat3 dw3 dw3_bn dw3_relu pool3 project3 project3_bn',
      'pool scores softmax',
    ]);
  });

  it('end at the requested layers, too', () => {
    expect(names(sequentialCnn(), ['bn2', 'separable3'])).toEqual([
      'conv1',
      'conv2 bn2',
      'swish2 separable3',
      'pool3 flatten dense4',
      'dropout scores',
    ]);
  });

  it('of nested models are those of their layers', () => {
    const base = tf.sequential({
      name: 'base',
      layers: [
        layers.conv2d({ name: 'conv', inputShape: [4, 4, 1], filters: 2, kernelSize: 3 }),
        layers.conv2d({ name: 'deep', filters: 2, kernelSize: 1 }),
      ],
    });
    const input = tf.input({ shape: [4, 4, 1] });
    const flat = after(layers.flatten({ name: 'flat' }), after(base, input));
    const model = tf.model({ inputs: input, outputs: after(layers.dense({ name: 'scores', units: 2 }), flat) });
    expect(names(model)).toEqual(['conv', 'deep', 'flat scores']);
    const own = fromLayersModel(model, { cuts: ['conv'] });
    own.network.modules
      .flatMap(({ blocks }) => blocks.flatMap(({ parameters }) => parameters))
      .forEach((parameter) => {
        parameter.assign(tf.ones([...parameter.shape]));
      });
    own.writeWeights();
    expect(base.getWeights().every((weight) => weight.dataSync().every((value) => value === 1))).toBe(true);
    own.dispose();
  });

  it('have stages that begin where the shape changes', () => {
    const { network, dispose } = fromLayersModel(sequentialCnn(), { cuts: 2 });
    expect(network.backbone.blocks.map(({ reference, block }) => [...reference, block.name])).toEqual([
      [0, 0, 'conv1'],
      [1, 0, 'swish2'],
      [2, 0, 'pool3'],
      [3, 0, 'dense4'],
    ]);
    dispose();
  });
});

describe('modules', () => {
  const sizes = (cuts: number | readonly string[]) => {
    const { network, dispose } = fromLayersModel(sequentialCnn(), { cuts });
    dispose();
    return network.modules.map(({ blocks }) => blocks.map(({ name }) => name).join(' '));
  };

  it('are distributed evenly, or end at the requested layers', () => {
    expect(sizes(2)).toEqual(['conv1 swish2', 'pool3 dense4']);
    expect(sizes(['conv1', 'pool3'])).toEqual(['conv1', 'swish2 pool3', 'dense4']);
    expect(sizes([])).toEqual(['conv1 swish2 pool3 dense4']);
  });

  it.each<[number | readonly string[], RegExp]>([
    [9, /Cannot split 3 blocks and a stem \(merged\) into 9 modules; allowed: 1 to 3, or 4/],
    [['pool4'], /Unknown layer 'pool4'\. Did you mean 'pool3'\?/],
    [['scores'], /cannot be cut after layer 'scores': it belongs to the classifier\. Allowed: conv1, conv2, bn2, /],
    [['pool3', 'conv1'], /after layer 'conv1': cuts must be in forward order, each once/],
    [['conv1', 'conv1'], /after layer 'conv1': cuts must be in forward order, each once/],
    [['conv1', 'dense4'], /Layer 'dense4' ends the last module, which always ends before the classifier/],
  ])('cannot be %j', (cuts, message) => {
    expect(() => sizes(cuts)).toThrow(message);
  });

  it('cannot end inside a branch', () => {
    expect(() => fromLayersModel(mobileNet(), { cuts: ['dw2'] })).toThrow(
      /after layer 'dw2': other tensors are read behind it/,
    );
  });
});
