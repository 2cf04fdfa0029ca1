import {
  type Backbone,
  type BackboneFactory,
  type Block,
  LocalgradError,
  type ParameterScope,
  rejectUnknownKeys,
  requireOption,
  type Shape3,
} from '@localgrad/core';
import {
  batchNorm,
  conv2d,
  dense,
  dropout,
  flattenChannelsFirst,
  leakyRelu,
  maxPool,
  relu,
  sequential,
} from '@localgrad/nn/blocks';
import { blockHead } from '@localgrad/nn/heads';
import { softmaxCrossEntropy } from '@localgrad/nn/losses';
import { uniformFanIn, zeros } from '@localgrad/nn/random';
import { BlockLine, membersOf } from './block-line.js';
import { differing, requireCount, requireImages } from './check-options.js';

/** Channels of the convolutions as multiples of the width; `M` is 2×2 max pooling. */
const layouts: Readonly<Record<number, readonly (number | 'M')[]>> = {
  8: [1, 2, 'M', 2, 4, 'M', 4, 'M', 4, 'M'],
  11: [1, 1, 1, 2, 'M', 2, 4, 'M', 4, 4, 'M', 4, 'M'],
};

type Activation = 'relu' | 'leakyRelu';

export interface LocalLossVggOptions {
  /** 8 (VGG8b) or 11 (VGG11b). */
  readonly depth: number;
  /** Channels of the first convolution. Default 128. */
  readonly width?: number;
  /** Units of the hidden layer. Default 1024. */
  readonly hidden?: number;
  /** `relu` (default) for end-to-end training and prediction losses; `leakyRelu` (slope 0.01) where similarities are used. */
  readonly activation?: Activation;
  /** Dropout between layers: whole channels after convolutions, values after the hidden layer; in [0, 1). Default 0. */
  readonly dropout?: number;
  /** Whether the output layer's weight starts at 0, as in training with local losses. Default false. */
  readonly zeroOutput?: boolean;
}

/**
 * VGG8b and VGG11b (Nøkland & Eidnes, ICML 2019; docs/methods/networks.md §6). Each convolution with batch norm and
 * activation is a block, as is the hidden dense layer. Dropout and pooling of a layer's output belong to the next block,
 * so that a local loss reads the output itself; the hidden layer's dropout is the last block, with which the output layer
 * forms a module of its own. Parameters have the names of the paper's code.
 *
 * @throws LocalgradError `invalid-option`
 */
export function localLossVgg(options: LocalLossVggOptions): BackboneFactory {
  const where = 'localLossVgg';
  rejectUnknownKeys(where, options, ['depth', 'width', 'hidden', 'activation', 'dropout', 'zeroOutput']);
  const { depth, width = 128, hidden = 1024, activation = 'relu', dropout: rate = 0, zeroOutput = false } = options;
  const layout = layouts[depth];
  if (layout === undefined) {
    throw new LocalgradError('invalid-option', `${where}: option 'depth' is ${depth}; allowed: 8, 11.`, { depth });
  }
  requireCount(where, 'width', width, 4096);
  requireCount(where, 'hidden', hidden);
  requireOption(['relu', 'leakyRelu'].includes(activation), where, 'activation', activation, 'relu, leakyRelu');
  requireOption(rate >= 0 && rate < 1, where, 'dropout', rate, 'numbers in [0, 1)');
  const name = `vgg${depth}b`;
  const chosen = { width, hidden, activation, dropout: rate, zeroOutput };
  const defaults = { width: 128, hidden: 1024, activation: 'relu', dropout: 0, zeroOutput: false };
  const config = { backbone: name, ...differing(chosen, defaults) };
  return {
    name,
    config,
    build({ inputShape, classes, scope }): Backbone {
      requireImages(name, inputShape, 2 ** layout.filter((entry) => entry === 'M').length);
      const line = createBlocks(layout, { width, hidden, activation, rate }, inputShape, scope);
      const classifier = blockHead({
        name: 'classifier',
        blocks: [
          dense({
            name: 'layer_out',
            scope: scope.scope('classifier'),
            inputShape: line.shape,
            units: classes,
            layer: 'layer_out',
            initializer: zeroOutput ? zeros : uniformFanIn(hidden),
          }),
        ],
        loss: softmaxCrossEntropy,
      });
      return { name, config, inputShape, classes, blocks: line.blocks, classifier };
    },
  };
}

interface Layers {
  readonly width: number;
  readonly hidden: number;
  readonly activation: Activation;
  readonly rate: number;
}

function createBlocks(
  layout: readonly (number | 'M')[],
  layers: Layers,
  inputShape: Shape3,
  scope: ParameterScope,
): BlockLine {
  const { width, hidden, activation, rate } = layers;
  const line = new BlockLine(inputShape);
  const position = { stage: 1, index: 0 };
  let pools = false;
  layout.forEach((entry, layer) => {
    if (entry === 'M') {
      pools = true;
      position.stage++;
      position.index = 0;
      return;
    }
    const isFirst = layer === 0;
    const name = `features.${layer}`;
    const options = {
      name,
      scope: scope.scope('features').scope(String(layer)),
      activation,
      channels: entry * width,
      pools,
      rate: isFirst ? 0 : rate,
      large: isFirst && inputShape[0] > 64,
    };
    line.add(isFirst ? [0, 0] : [position.stage, position.index++], (shape) =>
      convolutionBlock({ ...options, inputShape: shape }),
    );
    pools = false;
  });
  const place = { scope: scope.scope('classifier').scope('layers').scope('0'), activation, rate };
  line.add([position.stage, 0], (shape) => hiddenBlock({ ...place, inputShape: shape, units: hidden }));
  return line.add([position.stage + 1, 0], (inputShape) =>
    dropout({ name: 'dropout', scope: scope.scope('classifier'), inputShape, rate }),
  );
}

interface ConvolutionBlockOptions {
  readonly name: string;
  readonly scope: ParameterScope;
  readonly inputShape: Shape3;
  readonly channels: number;
  readonly activation: Activation;
  /** Whether the input is pooled. */
  readonly pools: boolean;
  /** Dropout of the input. */
  readonly rate: number;
  /** 7×7 with stride 2 instead of 3×3. */
  readonly large: boolean;
}

function convolutionBlock(options: ConvolutionBlockOptions): Block {
  const { name, scope, inputShape, channels, activation, pools, rate, large } = options;
  const initializer = uniformFanIn((large ? 49 : 9) * inputShape[2]);
  const members = membersOf(inputShape, [
    ...dropped(scope, rate, 'channel'),
    ...(pools ? [pooled] : []),
    (shape) =>
      conv2d({
        name: 'encoder',
        layer: 'encoder',
        scope,
        inputShape: shape,
        channels,
        initializer,
        ...(large ? { kernelSize: 7, stride: 2 } : {}),
      }),
    (shape) => batchNorm({ name: 'bn', scope, inputShape: shape, layer: 'bn' }),
    activated(activation),
  ]);
  return sequential(name, members, (other) => convolutionBlock({ ...options, scope: other }));
}

interface HiddenBlockOptions {
  readonly scope: ParameterScope;
  readonly inputShape: Shape3;
  readonly units: number;
  readonly activation: Activation;
  readonly rate: number;
}

function hiddenBlock(options: HiddenBlockOptions): Block {
  const { scope, inputShape, units, activation, rate } = options;
  const members = membersOf(inputShape, [
    ...dropped(scope, rate, 'channel'),
    pooled,
    (shape) => flattenChannelsFirst('flatten', shape),
    (shape) => dense({ name: 'encoder', layer: 'encoder', scope, inputShape: shape, units }),
    (shape) => batchNorm({ name: 'bn', scope, inputShape: shape, layer: 'bn' }),
    activated(activation),
  ]);
  return sequential('classifier.layers.0', members, (other) => hiddenBlock({ ...options, scope: other }));
}

type Creator = (inputShape: Shape3) => Block;

function dropped(scope: ParameterScope, rate: number, per: 'channel'): Creator[] {
  return rate === 0 ? [] : [(inputShape) => dropout({ name: 'dropout', scope, inputShape, rate, per })];
}

function pooled(inputShape: Shape3): Block {
  return maxPool({ name: 'pool', inputShape, size: 2, stride: 2, padding: 0 });
}

function activated(activation: Activation): Creator {
  return (shape) => (activation === 'relu' ? relu('relu', shape) : leakyRelu('leakyRelu', shape));
}
