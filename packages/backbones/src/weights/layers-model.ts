import { type Backbone, type Block, LocalgradError, type Parameter } from '@localgrad/core';
import { type LayersModelFiles, saveLayersModel } from '@localgrad/nn/serialization';
import * as tf from '@tensorflow/tfjs';
import { imageNetResNetDepths } from '../imagenet-resnet.js';
import { backboneOf, backboneParameters, type WeightsOwner } from './backbone-parameters.js';
import { describe, descriptionKey, type WeightsExtra } from './description.js';

/** The backbones supported by `build`, and others whose names have the same form. */
const known = /^(?:(?:cifar-)?resnet\d+|tiny)$/;
const unsupported = new Set(imageNetResNetDepths.map((depth) => `resnet${depth}`));
/** Epsilon of PyTorch's batch norm, which ours uses too. */
const epsilon = 1e-5;

/**
 * A trained backbone as a functional model of TensorFlow.js layers, for inference: convolutions, batch norms with the
 * running statistics, sums, ReLUs, global average pooling and a dense layer. Input: normalized images [batch, height,
 * width, channels]; output: class scores before softmax, [batch, classes]. The input normalization and the names of the
 * classes are stored in the model's metadata (`userDefinedMetadata.localgrad`).
 *
 * @throws LocalgradError `invalid-option` for backbones other than CIFAR ResNets
 */
export async function layersModelFiles(owner: WeightsOwner, extra: WeightsExtra = {}): Promise<LayersModelFiles> {
  const backbone = backboneOf(owner);
  if (!known.test(backbone.name) || unsupported.has(backbone.name) || backbone.config.backbone !== backbone.name) {
    throw new LocalgradError(
      'invalid-option',
      `Backbone '${backbone.name}' cannot be written as a model of TensorFlow.js layers; allowed: CIFAR ResNets (resnet8, resnet14, resnet20, …). Its weights can be written in the formats localgrad and pytorch.`,
      { backbone: backbone.name },
    );
  }
  const model = new LayersNetwork(backbone).build();
  try {
    model.setUserDefinedMetadata({ [descriptionKey]: describe(backbone, extra) });
    return await saveLayersModel(model);
  } finally {
    model.dispose();
  }
}

/** Converts blocks to layers with the same weights. */
class LayersNetwork {
  readonly #backbone: Backbone;
  readonly #parameters: ReadonlyMap<string, Parameter>;
  readonly #values: [tf.layers.Layer, readonly string[]][] = [];

  constructor(backbone: Backbone) {
    this.#backbone = backbone;
    this.#parameters = backboneParameters(backbone);
  }

  build(): tf.LayersModel {
    const { blocks, inputShape, classes, name } = this.#backbone;
    const input = tf.input({ shape: [...inputShape], name: 'images' });
    let x = input;
    for (const { block } of blocks) x = block.name === 'stem' ? this.#stem(x, block) : this.#basicBlock(x, block);
    const pooled = tf.layers.globalAveragePooling2d({ name: 'pool' }).apply(x) as tf.SymbolicTensor;
    const classifier = tf.layers.dense({ name: 'fc', units: classes, kernelInitializer: 'zeros' });
    const output = this.#apply(classifier, pooled, ['fc.weight', 'fc.bias']);
    const model = tf.model({ inputs: input, outputs: output, name });
    for (const [layer, names] of this.#values) layer.setWeights(names.map((weight) => this.#parameter(weight).value));
    return model;
  }

  #stem(x: tf.SymbolicTensor, block: Block): tf.SymbolicTensor {
    return this.#relu(this.#convolution(x, 'conv1', 'bn1', strideOf(block)), 'stem.relu');
  }

  #basicBlock(x: tf.SymbolicTensor, block: Block): tf.SymbolicTensor {
    const at = (layer: string) => `${block.name}.${layer}`;
    const stride = strideOf(block);
    const first = this.#relu(this.#convolution(x, at('conv1'), at('bn1'), stride), at('relu1'));
    const second = this.#convolution(first, at('conv2'), at('bn2'), 1);
    const shortcut = this.#parameters.has(at('downsample.0.weight'))
      ? this.#convolution(x, at('downsample.0'), at('downsample.1'), stride)
      : x;
    const sum = tf.layers.add({ name: at('add') }).apply([second, shortcut]) as tf.SymbolicTensor;
    return this.#relu(sum, at('relu2'));
  }

  #convolution(x: tf.SymbolicTensor, name: string, norm: string, stride: number): tf.SymbolicTensor {
    const { shape } = this.#parameter(`${name}.weight`);
    const [kernelSize = 1, , , filters = 1] = shape;
    const padding = (kernelSize - 1) / 2;
    let padded = x;
    if (padding > 0) {
      // With stride 2, 'same' would pad on one side only.
      const layer = tf.layers.zeroPadding2d({ name: `${name}.padding`, padding: [padding, padding] });
      padded = layer.apply(x) as tf.SymbolicTensor;
    }
    const convolution = tf.layers.conv2d({
      name,
      filters,
      kernelSize,
      strides: stride,
      padding: 'valid',
      useBias: false,
      kernelInitializer: 'zeros',
    });
    const convolved = this.#apply(convolution, padded, [`${name}.weight`]);
    const names = ['weight', 'bias', 'running_mean', 'running_var'].map((entry) => `${norm}.${entry}`);
    return this.#apply(tf.layers.batchNormalization({ name: norm, epsilon }), convolved, names);
  }

  #relu(x: tf.SymbolicTensor, name: string): tf.SymbolicTensor {
    return tf.layers.reLU({ name }).apply(x) as tf.SymbolicTensor;
  }

  #apply(layer: tf.layers.Layer, x: tf.SymbolicTensor, names: readonly string[]): tf.SymbolicTensor {
    this.#values.push([layer, names]);
    return layer.apply(x) as tf.SymbolicTensor;
  }

  #parameter(name: string): Parameter {
    const parameter = this.#parameters.get(name);
    if (parameter === undefined) {
      throw new LocalgradError('misuse', `Backbone '${this.#backbone.name}' has no parameter '${name}'.`, { name });
    }
    return parameter;
  }
}

/** Stride of a block; on feature maps of one pixel, all strides are equivalent. */
function strideOf({ inputShape, outputShape }: Block): number {
  return outputShape[0] < inputShape[0] || outputShape[1] < inputShape[1] ? 2 : 1;
}
