import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { fromLayersModel } from './index.js';
import { after } from './models.fixture.js';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

const { layers } = tf;

describe('unsupported models', () => {
  const image = [4, 4, 2];
  const classify = (...inner: tf.layers.Layer[]) => {
    const input = tf.input({ shape: image });
    let x: tf.SymbolicTensor = after(layers.conv2d({ name: 'conv', filters: 2, kernelSize: 1 }), input);
    for (const layer of inner) x = after(layer, x);
    const scores = after(layers.dense({ name: 'scores', units: 3 }), after(layers.flatten({ name: 'flat' }), x));
    return tf.model({ inputs: input, outputs: scores, name: 'own' });
  };
  const flatFeatures = (input: tf.SymbolicTensor) =>
    after(layers.flatten({}), after(layers.conv2d({ filters: 2, kernelSize: 1 }), input));
  const two = () => [tf.input({ shape: [4], name: 'left' }), tf.input({ shape: [4], name: 'right' })] as const;
  const outputs = (...units: tf.layers.Layer[]) => {
    const input = tf.input({ shape: image });
    return tf.model({ inputs: input, outputs: units.map((unit) => after(unit, flatFeatures(input))), name: 'own' });
  };
  const ends = (...inner: tf.layers.Layer[]) => {
    const input = tf.input({ shape: image });
    const output = inner.reduce((x, layer) => after(layer, x), flatFeatures(input));
    return tf.model({ inputs: input, outputs: output, name: 'own' });
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
      'a single score',
      () => outputs(layers.dense({ name: 'yes', units: 1 })),
      /its output 'yes' is a single number; expected scores of 2 classes or more/,
    ],
    [
      'an activation layer as the output',
      () => ends(layers.dense({ name: 'scores', units: 2 }), layers.leakyReLU({ name: 'leaky' })),
      /its output layer 'leaky' ends with leakyRelu; allowed: softmax, or linear class scores/,
    ],
    [
      'dropped probabilities',
      () =>
        ends(layers.dense({ name: 'p', units: 2, activation: 'softmax' }), layers.dropout({ name: 'drop', rate: 0.5 })),
      /its output layer 'drop' \(Dropout\) follows the softmax of 'p'; allowed: a softmax as the last layer, or linear class scores/,
    ],
    [
      'averaged probabilities',
      () => {
        const input = tf.input({ shape: image });
        const expert = (name: string) =>
          after(layers.conv2d({ name, filters: 2, kernelSize: 1, activation: 'softmax' }), input);
        const mean = after(layers.average({ name: 'mean' }), [expert('a'), expert('b')]);
        const pooled = after(layers.globalAveragePooling2d({ name: 'pooled' }), mean);
        return tf.model({ inputs: input, outputs: pooled, name: 'own' });
      },
      /its output layer 'pooled' \(GlobalAveragePooling2D\) follows the softmax of 'a'/,
    ],
    [
      'an input as the output',
      () => {
        const input = tf.input({ shape: [3] });
        return tf.model({ inputs: input, outputs: input, name: 'own' });
      },
      /^Model 'own' is not supported: it has no layers; its output is its input\.$/,
    ],
    [
      'a softmax over rows',
      () => classify(layers.softmax({ name: 'rows', axis: 1 })),
      /^Layer 'rows' \(Softmax\) has the axis 1, which TensorFlow\.js does not run; allowed: −1, the last one\.$/,
    ],
    [
      'causal padding of images',
      () => classify(layers.conv2d({ name: 'extra', filters: 1, kernelSize: 2, padding: 'causal' })),
      /^Layer 'extra' \(Conv2D\) has padding 'causal', which TensorFlow\.js does not run; allowed: valid, same\.$/,
    ],
    [
      'a dropout of everything',
      () => classify(layers.dropout({ name: 'drop', rate: 1 })),
      /^Layer 'drop' \(Dropout\) has the rate 1; allowed: at least 0, below 1\.$/,
    ],
    [
      'a batch norm with a momentum above 1',
      () => classify(layers.batchNormalization({ name: 'norm', momentum: 1.5 })),
      /^Layer 'norm' \(BatchNormalization\) has the momentum 1\.5; allowed: 0 to 1\.$/,
    ],
    [
      'a norm with a negative epsilon',
      () => classify(layers.layerNormalization({ name: 'norm', epsilon: -1 })),
      /^Layer 'norm' \(LayerNormalization\) has the epsilon -1; allowed: numbers ≥ 0\.$/,
    ],
    [
      'a ReLU with a negative bound',
      () => classify(layers.reLU({ name: 'bounded', maxValue: -1 })),
      /^Layer 'bounded' \(ReLU\) has the maxValue -1; allowed: numbers ≥ 0\.$/,
    ],
    [
      'a layer without a gradient',
      () => classify(layers.thresholdedReLU({ name: 'threshold' })),
      /^Layer 'threshold' \(ThresholdedReLU\) cannot be trained; TensorFlow\.js says: .*not found for Greater\.$/,
    ],
    [
      'a layer without a gradient behind a branch without weights',
      () => {
        const input = tf.input({ shape: image });
        const beside = (x: tf.SymbolicTensor, layer: tf.layers.Layer) => after(layers.add({}), [x, after(layer, x)]);
        const first = beside(input, layers.activation({ activation: 'tanh' }));
        const second = beside(first, layers.thresholdedReLU({ name: 'threshold' }));
        return tf.model({
          inputs: input,
          outputs: after(layers.dense({ units: 3 }), after(layers.flatten(), second)),
          name: 'own',
        });
      },
      /^Layer 'threshold' \(ThresholdedReLU\) cannot be trained/,
    ],
    [
      'a join whose gradient fails in TensorFlow.js',
      () => {
        const input = tf.input({ shape: image });
        const x = after(layers.conv2d({ filters: 2, kernelSize: 1 }), input);
        const row = after(layers.globalAveragePooling2d({}), x);
        const largest = after(layers.maximum({ name: 'largest' }), [
          x,
          after(layers.reshape({ targetShape: [1, 1, 2] }), row),
        ]);
        return tf.model({
          inputs: input,
          outputs: after(layers.dense({ units: 3 }), after(layers.flatten(), largest)),
          name: 'own',
        });
      },
      /^Layer 'largest' \(Maximum\) cannot be trained; TensorFlow\.js says: Error in gradient for op Maximum/,
    ],
    [
      'dropout in stacked recurrent cells',
      () => {
        const cell = (dropout: number) => layers.gruCell({ units: 2, dropout, recurrentInitializer: 'zeros' });
        return tf.sequential({
          name: 'own',
          layers: [
            layers.dense({ inputShape: [3, 4], units: 3 }),
            layers.rnn({ name: 'stacked', cell: [cell(0), cell(0.5)] as never }),
            layers.dense({ units: 2 }),
          ],
        });
      },
      /^Layer 'stacked' \(RNN\) has dropout, which samples unrepeatable random numbers; use a Dropout layer\.$/,
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

  it('of operations are no models of layers', () => {
    const model = new tf.GraphModel('model.json') as unknown as tf.LayersModel;
    expect(() => fromLayersModel(model, { cuts: 1 })).toThrow(
      'The model is GraphModel; allowed: a model of TensorFlow.js layers, of tf.sequential, tf.model or tf.loadLayersModel.',
    );
  });

  it('are rejected with a code that programs can read', () => {
    const model = classify(layers.gaussianNoise({ name: 'noise', stddev: 1 }));
    expect(() => fromLayersModel(model, { cuts: 1 })).toThrow(
      expect.objectContaining({ code: 'invalid-option', details: { layer: 'noise', className: 'GaussianNoise' } }),
    );
  });
});
