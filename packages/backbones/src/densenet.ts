import {
  type Backbone,
  type BackboneFactory,
  type Block,
  type ParameterScope,
  rejectUnknownKeys,
  requireOption,
  type Shape3,
} from '@localgrad/core';
import {
  averagePool,
  batchNorm,
  concatenation,
  conv2d,
  dense,
  globalAveragePool,
  normReluConvolution,
  relu,
  sequential,
} from '@localgrad/nn/blocks';
import { blockHead } from '@localgrad/nn/heads';
import { softmaxCrossEntropy } from '@localgrad/nn/losses';
import { BlockLine, membersOf } from './block-line.js';
import { deepest, requireCount, requireImages } from './check-options.js';

export interface DenseNetBcOptions {
  /** 6n + 4, with n layers in each of the three dense blocks. */
  readonly depth: number;
  /** Channels that each layer adds. */
  readonly growth: number;
}

/**
 * DenseNet-BC for small images (Huang et al., CVPR 2017; docs/methods/networks.md §8): 3×3 stem of 2·growth channels,
 * three dense blocks of bottleneck layers, transitions that halve channels and size. Each layer and transition is a
 * block; parameters have torchvision's names.
 *
 * @throws LocalgradError `invalid-option`
 */
export function denseNetBc(options: DenseNetBcOptions): BackboneFactory {
  rejectUnknownKeys('denseNetBc', options, ['depth', 'growth']);
  const { depth, growth } = options;
  requireOption(
    Number.isInteger(depth) && depth >= 10 && depth <= deepest && depth % 6 === 4,
    'denseNetBc',
    'depth',
    depth,
    `6n + 4 up to ${deepest}: 40, 100, 190, 250, …`,
  );
  requireCount('denseNetBc', 'growth', growth, 1024);
  const name = `densenet-bc-${depth}-${growth}`;
  const config = { backbone: name };
  return {
    name,
    config,
    build({ inputShape, classes, scope }): Backbone {
      // Two transitions halve the map.
      requireImages(name, inputShape, 4);
      const { blocks, shape } = createBlocks((depth - 4) / 6, growth, inputShape, scope.scope('features'));
      const classifier = blockHead({
        name: 'classifier',
        blocks: [
          batchNorm({ name: 'norm', scope: scope.scope('features'), inputShape: shape, layer: 'norm5' }),
          relu('relu', shape),
          globalAveragePool('pool', shape),
          dense({ name: 'classifier', scope, inputShape: [1, 1, shape[2]], units: classes, layer: 'classifier' }),
        ],
        loss: softmaxCrossEntropy,
      });
      return { name, config, inputShape, classes, blocks, classifier };
    },
  };
}

function createBlocks(perStage: number, growth: number, inputShape: Shape3, scope: ParameterScope): BlockLine {
  const line = new BlockLine(inputShape).add([0, 0], (shape) =>
    conv2d({ name: 'stem', scope, inputShape: shape, channels: 2 * growth, bias: false, layer: 'conv0' }),
  );
  for (const stage of [1, 2, 3]) {
    for (let index = 0; index < perStage; index++) {
      const place = scope.scope(`denseblock${stage}`).scope(`denselayer${index + 1}`);
      const name = `denseblock${stage}.denselayer${index + 1}`;
      line.add([stage, index], (shape) => denseLayer(name, growth, shape, place));
    }
    if (stage < 3) {
      const name = `transition${stage}`;
      line.add([stage, perStage], (shape) => transition(name, shape, scope.scope(name)));
    }
  }
  return line;
}

/** Batch norm, ReLU, 1×1 convolution to 4·growth channels; batch norm, ReLU, 3×3 convolution; appended to the input. */
function denseLayer(name: string, growth: number, inputShape: Shape3, scope: ParameterScope): Block {
  return concatenation(name, denseLayerBody(name, growth, inputShape, scope));
}

function denseLayerBody(name: string, growth: number, inputShape: Shape3, scope: ParameterScope): Block {
  const members = membersOf(inputShape, [
    (shape) =>
      normReluConvolution({
        name: 'bottleneck',
        scope,
        inputShape: shape,
        channels: 4 * growth,
        kernelSize: 1,
        names: ['norm1', 'conv1'],
      }),
    (shape) =>
      normReluConvolution({ name: 'growth', scope, inputShape: shape, channels: growth, names: ['norm2', 'conv2'] }),
  ]);
  return sequential(name, members, (other) => denseLayerBody(name, growth, inputShape, other));
}

/** Batch norm, ReLU and a 1×1 convolution that halves the channels; 2×2 average pooling. */
function transition(name: string, inputShape: Shape3, scope: ParameterScope): Block {
  const members = membersOf(inputShape, [
    (shape) =>
      normReluConvolution({
        name: 'convolution',
        scope,
        inputShape: shape,
        channels: Math.floor(shape[2] / 2),
        kernelSize: 1,
        names: ['norm', 'conv'],
      }),
    (shape) => averagePool('pool', shape, 2),
  ]);
  return sequential(name, members, (other) => transition(name, inputShape, other));
}
