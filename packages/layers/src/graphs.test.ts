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

describe('unsupported models', () => {
  const image = [4, 4, 2];
  const classify = (...inner: tf.layers.Layer[]) => {
    const input = tf.input({ shape: image });
    let x: tf.SymbolicTensor = after(layers.conv2d({ name: 'conv', filters: 2, kernelSize: 1 }), input);
    for (const layer of inner) x = after(layer, x);
    const scores = after(layers.dense({ name: 'scores', units: 3 }), after(layers.flatten({ name: 'flat' }), x));
    return tf.model({ inputs: input, outputs: scores, name: 'own' });
  };
  const two = () => [tf.input({ shape: [4], name: 'left' }), tf.input({ shape: [4], name: 'right' })] as const;
  const outputs = (...units: tf.layers.Layer[]) => {
    const input = tf.input({ shape: image });
    const x = after(
      layers.flatten({ name: 'flat' }),
      after(layers.conv2d({ name: 'conv', filters: 2, kernelSize: 1 }), input),
    );
    return tf.model({ inputs: input, outputs: units.map((unit) => after(unit, x)), name: 'own' });
  };
  const rows = (options: { readonly stateful?: boolean; readonly dropout?: number }) =>
    tf.sequential({
      name: 'own',
      layers: [
        layers.dense({ name: 'first', batchInputShape: [2, 4, 4], units: 3 }),
        layers.gru({ name: 'rnn', units: 2, recurrentInitializer: 'zeros', ...options }),
        layers.dense({ name: 'scores', units: 2 }),
      ],
    });
  const cases: readonly (readonly [string, () => tf.LayersModel, RegExp])[] = [
    ['no layers', () => tf.sequential({ name: 'own' }), /^Model 'own' is not supported: it has no layers\.$/],
    [
      'two inputs',
      () => {
        const [left, right] = two();
        const joined = after(layers.concatenate({}), [left, right]);
        return tf.model({ inputs: [left, right], outputs: after(layers.dense({ units: 2 }), joined), name: 'own' });
      },
      /^Model 'own' is not supported: it has 2 inputs \('left', 'right'\); expected one\.$/,
    ],
    [
      'two outputs',
      () => outputs(layers.dense({ name: 'a', units: 2 }), layers.dense({ name: 'b', units: 2 })),
      /it has 2 outputs \('a', 'b'\); expected one/,
    ],
    [
      'a shared layer',
      () => {
        const shared = layers.conv2d({ name: 'shared', filters: 2, kernelSize: 1 });
        return classify(shared, shared);
      },
      /layer 'shared' is used 2 times; layers with weights cannot be shared/,
    ],
    [
      'an undefined size',
      () => {
        const input = tf.input({ shape: [null, null, 1] });
        const x = after(
          layers.globalAveragePooling2d({}),
          after(layers.conv2d({ name: 'conv', filters: 2, kernelSize: 1 }), input),
        );
        return tf.model({ inputs: input, outputs: after(layers.dense({ units: 2 }), x), name: 'own' });
      },
      /layer 'input\d+' has an output of undefined size \(\?×\?×\?×1\); build the model with a complete input shape/,
    ],
    [
      'a probability of one class',
      () => outputs(layers.dense({ name: 'yes', units: 1, activation: 'sigmoid' })),
      /its output layer 'yes' ends with sigmoid; allowed: softmax, or linear class scores/,
    ],
    [
      'several softmaxes',
      () =>
        tf.sequential({
          name: 'own',
          layers: [
            layers.dense({ inputShape: [4], units: 6 }),
            layers.reshape({ targetShape: [2, 3] }),
            layers.softmax({ name: 'pairs' }),
            layers.flatten(),
          ],
        }),
      /its output layer 'pairs' has several softmaxes, of shape batch×2×3; allowed: one, over all classes/,
    ],
    [
      'maps as outputs',
      () =>
        tf.sequential({
          name: 'own',
          layers: [layers.conv2d({ name: 'end', inputShape: image, filters: 2, kernelSize: 1 })],
        }),
      /its output 'end' has shape batch×4×4×2; expected batch×classes/,
    ],
    [
      'a single layer',
      () => tf.sequential({ name: 'own', layers: [layers.dense({ inputShape: [4], units: 2 })] }),
      /it has a single block, which leaves nothing to train/,
    ],
    [
      'noise',
      () => classify(layers.gaussianNoise({ name: 'noise', stddev: 1 })),
      /^Layer 'noise' \(GaussianNoise\) samples unrepeatable random numbers; allowed: Dropout\.$/,
    ],
    [
      'a random wrapper',
      () => classify(layers.timeDistributed({ name: 'rows', layer: layers.dropout({ rate: 0.5 }) })),
      /^Layer 'rows' \(TimeDistributed\) samples unrepeatable random numbers inside another layer/,
    ],
    [
      'a stateful recurrent layer',
      () => rows({ stateful: true }),
      /^Layer 'rnn' \(GRU\) keeps a state between batches; set stateful to false/,
    ],
    [
      'a recurrent layer with dropout',
      () => rows({ dropout: 0.5 }),
      /^Layer 'rnn' \(GRU\) has dropout, which samples unrepeatable random numbers; use a Dropout layer/,
    ],
    [
      'channels first',
      () => classify(layers.maxPooling2d({ name: 'pool', poolSize: 1, dataFormat: 'channelsFirst' })),
      /^Layer 'pool' \(MaxPooling2D\) has dataFormat 'channelsFirst'; allowed: channelsLast/,
    ],
    [
      'a regularizer',
      () => classify(layers.conv2d({ name: 'extra', filters: 1, kernelSize: 1, kernelRegularizer: 'l1l2' })),
      /^Layer 'extra' \(Conv2D\) has the option kernelRegularizer, which local training does not apply; remove it, and use weight decay/,
    ],
    [
      'a dilated depthwise convolution',
      () => classify(layers.depthwiseConv2d({ name: 'extra', kernelSize: 2, dilationRate: 2 })),
      /^Layer 'extra' \(DepthwiseConv2D\) has the dilation rate 2×2, which TensorFlow\.js ignores in this layer; allowed: 1/,
    ],
    [
      'a convolution with strides and dilation',
      () =>
        classify(layers.conv2d({ name: 'extra', filters: 1, kernelSize: 2, strides: [2, 1], dilationRate: [1, 2] })),
      /^Layer 'extra' \(Conv2D\) has the dilation rate 1×2 and strides 2×1; TensorFlow\.js runs only one of them above 1/,
    ],
    [
      'batch norm over rows',
      () => classify(layers.batchNormalization({ name: 'norm', axis: 1 })),
      /^Layer 'norm' \(BatchNormalization\) normalizes axis 1; allowed: −1/,
    ],
  ];

  it.each(cases)('%s', (_, create, message) => {
    const before = tf.memory().numTensors;
    const model = create();
    const own = tf.memory().numTensors;
    expect(() => fromLayersModel(model, { cuts: 1 })).toThrow(message);
    expect(tf.memory().numTensors).toBe(own);
    expect(own).toBeGreaterThanOrEqual(before);
  });

  it('are rejected with a code that programs can read', () => {
    const model = classify(layers.gaussianNoise({ name: 'noise', stddev: 1 }));
    expect(() => fromLayersModel(model, { cuts: 1 })).toThrow(
      expect.objectContaining({ code: 'invalid-option', details: { layer: 'noise', className: 'GaussianNoise' } }),
    );
  });
});
