import {
  type Backbone,
  type BackboneBlock,
  type BackboneFactory,
  type Block,
  type Head,
  type ParameterScope,
  rejectUnknownKeys,
  requireOption,
  type Shape3,
} from '@localgrad/core';
import { batchNorm, dense, dropout, flattenChannelsFirst, leakyRelu, relu, sequential } from '@localgrad/nn/blocks';
import { blockHead } from '@localgrad/nn/heads';
import { softmaxCrossEntropy } from '@localgrad/nn/losses';
import { uniformFanIn, zeros } from '@localgrad/nn/random';

export interface MlpOptions {
  /** Number of hidden layers; default 3. */
  readonly layers?: number;
  /** Units of each hidden layer; default 1024. */
  readonly width?: number;
  /** Nonlinearity after each batch norm; default `relu`. The negative slope of `leakyRelu` is 0.01. */
  readonly activation?: 'relu' | 'leakyRelu';
  /** Dropout rate after each hidden layer; default 0. */
  readonly dropout?: number;
  /** Start with an output layer of zeros, as predsim does; its bias is random. Default false. */
  readonly zeroOutput?: boolean;
}

const activations = { relu, leakyRelu } as const;

/**
 * A perceptron: flattening channel by channel (the stem), hidden layers of dense, batch norm and nonlinearity, and an output layer
 * (docs/methods/predsim.md §4).
 *
 * Dropout belongs to the block that *reads* a hidden layer, so that local losses see features without it. The last block
 * is only the dropout before the output layer: with one module per block, the output layer is trained alone, and every
 * hidden layer has a local loss.
 */
export function mlp(options: MlpOptions = {}): BackboneFactory {
  rejectUnknownKeys('mlp', options, ['layers', 'width', 'activation', 'dropout', 'zeroOutput']);
  const { layers = 3, width = 1024, activation = 'relu', dropout: rate = 0, zeroOutput = false } = options;
  const isCount = (value: number, largest: number) => Number.isInteger(value) && value >= 1 && value <= largest;
  requireOption(isCount(layers, 100), 'mlp', 'layers', layers, 'integers from 1 to 100');
  requireOption(isCount(width, 65536), 'mlp', 'width', width, 'integers from 1 to 65536');
  requireOption(Object.hasOwn(activations, activation), 'mlp', 'activation', activation, 'relu, leakyRelu');
  requireOption(rate >= 0 && rate < 1, 'mlp', 'dropout', rate, 'numbers in [0, 1)');
  requireOption(typeof zeroOutput === 'boolean', 'mlp', 'zeroOutput', zeroOutput, 'true, false');
  const config = { backbone: 'mlp', layers, width, activation, dropout: rate, zeroOutput };
  return {
    name: 'mlp',
    config,
    build({ inputShape, classes, scope }): Backbone {
      const stem = flattenChannelsFirst('stem', inputShape);
      const blocks: BackboneBlock[] = [{ reference: [0, 0], block: stem }];
      let shape = stem.outputShape;
      for (let index = 0; index < layers; index++) {
        const layer = { scope: scope.scope('layer1').scope(String(index)), width, activation, rate };
        const block = hiddenLayer(`layer1.${index}`, shape, { ...layer, isFirst: index === 0 });
        blocks.push({ reference: [1, index], block });
        shape = block.outputShape;
      }
      const last = dropout({ name: 'dropout', scope: scope.scope('layer2').scope('0'), inputShape: shape, rate });
      blocks.push({ reference: [2, 0], block: sequential('layer2.0', [last]) });
      const classifier = outputLayer(scope, shape, classes, zeroOutput);
      return { name: 'mlp', config, inputShape, classes, blocks, classifier };
    },
  };
}

interface HiddenLayer {
  readonly scope: ParameterScope;
  readonly width: number;
  readonly activation: keyof typeof activations;
  readonly rate: number;
  /** The first layer reads the image, from which nothing is dropped. */
  readonly isFirst: boolean;
}

function hiddenLayer(
  name: string,
  inputShape: Shape3,
  { scope, width, activation, rate, isFirst }: HiddenLayer,
): Block {
  const fc = dense({ name: 'fc', scope, layer: 'fc', inputShape, units: width });
  const normalized = batchNorm({ name: 'bn', scope, layer: 'bn', inputShape: fc.outputShape });
  const layers = [fc, normalized, activations[activation](activation, fc.outputShape)];
  return sequential(name, isFirst ? layers : [dropout({ name: 'dropout', scope, inputShape, rate }), ...layers]);
}

function outputLayer(scope: ParameterScope, inputShape: Shape3, classes: number, isZero: boolean): Head {
  const initializer = isZero ? zeros : uniformFanIn(inputShape[2]);
  const fc = dense({ name: 'fc', scope, layer: 'fc', inputShape, units: classes, initializer });
  return blockHead({ name: 'classifier', blocks: [fc], loss: softmaxCrossEntropy });
}
