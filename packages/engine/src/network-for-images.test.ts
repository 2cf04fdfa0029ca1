import { type BackboneFactory, type Block, createNetwork, type Network, type Shape3 } from '@localgrad/core';
import { convBatchNormRelu, dense, flatten } from '@localgrad/nn/blocks';
import { createClassifier, pixelCrossEntropyHead, withOutputHead } from '@localgrad/nn/heads';
import { createRandom, createScope } from '@localgrad/nn/random';
import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { predict } from './evaluation.js';
import { networkForImages } from './network-for-images.js';

beforeAll(() => tf.setBackend('cpu'));

const small: Shape3 = [6, 8, 2];
const large: Shape3 = [9, 13, 2];

type Blocks = (inputShape: Shape3, scope: Parameters<BackboneFactory['build']>[0]['scope']) => readonly Block[];

const convolutions: Blocks = (inputShape, scope) => {
  const first = convBatchNormRelu({ name: 'a', scope: scope.scope('a'), inputShape, channels: 4, stride: 2 });
  const second = { name: 'b', scope: scope.scope('b'), inputShape: first.outputShape, channels: 6 };
  return [first, convBatchNormRelu(second)];
};

const perceptron: Blocks = (inputShape, scope) => {
  const flat = flatten('flat', inputShape);
  return [flat, dense({ name: 'fc', scope, inputShape: flat.outputShape, units: 5, layer: 'hidden' })];
};

function factoryOf(blocksOf: Blocks): BackboneFactory {
  const [name, config] = ['tested', {}];
  return {
    name,
    config,
    build({ inputShape, classes, scope }) {
      const blocks = blocksOf(inputShape, scope).map((block, index) => ({ reference: [1, index] as const, block }));
      const last = blocks.at(-1)?.block.outputShape ?? inputShape;
      const classifier = createClassifier({ scope, inputShape: last, classes });
      return { name, config, inputShape, classes, blocks, classifier };
    },
  };
}

/** A network in two modules. Its running statistics differ from those of a new one. */
function build(factory: BackboneFactory, inputShape: Shape3, seed = 3) {
  const scope = createScope(seed);
  const network = createNetwork(factory.build({ inputShape, classes: 3, scope }), [1, 1]);
  const random = createRandom(seed);
  for (const parameter of scope.all().values()) {
    const values = Float32Array.from({ length: parameter.size }, () => 0.2 + random.uniform());
    parameter.assign(tf.tensor(values, [...parameter.shape]));
  }
  return { network, scope };
}

const maps = withOutputHead(factoryOf(convolutions), pixelCrossEntropyHead());

function scoresOf(network: Network, images: tf.Tensor4D): Float32Array {
  return tf.tidy(() => (predict(network, images) as tf.Tensor).dataSync<'float32'>().slice());
}

function imagesOf(shape: Shape3): tf.Tensor4D {
  return tf.randomNormal([2, ...shape], 0, 1, 'float32', 5);
}

describe('networkForImages', () => {
  it('equals a network that was built for that size, bit for bit, and follows training', () => {
    const { network, scope } = build(maps, small);
    const built = build(maps, large, 4);
    const copyWeights = () => {
      for (const [name, parameter] of built.scope.all()) {
        const value = scope.all().get(name)?.value;
        if (value !== undefined) parameter.assign(value.clone());
      }
    };
    const images = imagesOf(large);
    const tensors = tf.memory().numTensors;
    const sized = networkForImages(network, large);
    expect(tf.memory().numTensors).toBe(tensors);
    expect([sized.imageShape, sized.modules.map(({ blocks }) => blocks.length)]).toEqual([large, [1, 1]]);
    copyWeights();
    const before = scoresOf(sized, images);
    expect(before).toEqual(scoresOf(built.network, images));
    for (const parameter of scope.all().values()) parameter.assign(tf.mul(parameter.value, 0.9));
    copyWeights();
    expect(scoresOf(sized, images)).toEqual(scoresOf(built.network, images));
    expect(scoresOf(sized, images)).not.toEqual(before);
    expect(tf.memory().numTensors).toBe(tensors);
  });

  it('is the network itself for images of its size', () => {
    const { network } = build(maps, small);
    expect(networkForImages(network, [...small])).toBe(network);
  });

  it.each<[string, () => Network, RegExp]>([
    ['a classifier', () => build(factoryOf(convolutions), small).network, /: it does not predict label maps; only/],
    [
      'weights that depend on the size',
      () => build(withOutputHead(factoryOf(perceptron), pixelCrossEntropyHead()), small).network,
      /: its parameter 'hidden.weight' depends on the image size, with shape .* there and .* here\.$/,
    ],
    [
      'a backbone without a factory',
      () => {
        const { network } = build(maps, small);
        const { factory: _, ...backbone } = network.backbone;
        return { ...network, backbone };
      },
      /: its backbone has no 'factory'/,
    ],
    [
      'the factory of another head',
      () => {
        const { network } = build(maps, small);
        return { ...network, backbone: { ...network.backbone, factory: factoryOf(convolutions) } };
      },
      /: its factory builds another network, with a parameter 'fc.weight'\.$/,
    ],
  ])('rejects %s, and leaves no tensor', (_, create, message) => {
    const network = create();
    const tensors = tf.memory().numTensors;
    expect(() => networkForImages(network, large)).toThrow(message);
    expect(() => networkForImages(network, large)).toThrow(/was built for images of shape .* and cannot be built for/);
    expect(tf.memory().numTensors).toBe(tensors);
  });

  it('rejects another number of channels', () => {
    const { network } = build(maps, small);
    expect(() => networkForImages(network, [9, 13, 1])).toThrow(/: the number of channels differs\.$/);
  });
});
