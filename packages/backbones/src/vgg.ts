import {
  type Backbone,
  type BackboneFactory,
  type Block,
  type BlockReference,
  type Head,
  LocalgradError,
  type ParameterScope,
  rejectUnknownKeys,
  requireOption,
  type Shape3,
} from '@localgrad/core';
import {
  adaptiveAveragePool,
  batchNorm,
  conv2d,
  dense,
  dropout,
  flattenChannelsFirst,
  maxPool,
  relu,
  sequential,
} from '@localgrad/nn/blocks';
import { blockHead } from '@localgrad/nn/heads';
import { softmaxCrossEntropy } from '@localgrad/nn/losses';
import { normal, zeros } from '@localgrad/nn/random';
import { BlockLine, membersOf } from './block-line.js';
import { differing, requireCount, requireImages } from './check-options.js';

/** Convolutions per stage; each stage ends with max pooling. */
const stages: Readonly<Record<number, readonly number[]>> = {
  11: [1, 1, 2, 2, 2],
  13: [2, 2, 2, 2, 2],
  16: [2, 2, 3, 3, 3],
  19: [2, 2, 4, 4, 4],
};

export const vggDepths: readonly number[] = Object.keys(stages).map(Number);

/** Height and width of the map that the classifier reads. */
const finalSize = 7;

export interface VggOptions {
  readonly depth: number;
  /** Channels of the first stage; later stages have 2, 4, 8 and 8 times as many. Default 64. */
  readonly width?: number;
  /** Batch norm after each convolution, as in torchvision's `vgg13_bn`. Default false. */
  readonly batchNorm?: boolean;
  /** Units of the classifier's two hidden layers. Default 4096. */
  readonly hidden?: number;
  /** Dropout after the hidden layers, in [0, 1). Default 0.5. */
  readonly dropout?: number;
}

/**
 * VGG for ImageNet (docs/methods/networks.md §5). A block is a 3×3 convolution with bias, optional batch norm and ReLU,
 * and the max pooling that follows it; the first one is the stem. Parameters have torchvision's names and layouts.
 *
 * @throws LocalgradError `invalid-option`
 */
export function vgg(options: VggOptions): BackboneFactory {
  rejectUnknownKeys('vgg', options, ['depth', 'width', 'batchNorm', 'hidden', 'dropout']);
  const { depth, width = 64, batchNorm: norm = false, hidden = 4096, dropout: rate = 0.5 } = options;
  const perStage = stages[depth];
  if (perStage === undefined) {
    const allowed = vggDepths.join(', ');
    throw new LocalgradError('invalid-option', `vgg: option 'depth' is ${depth}; allowed: ${allowed}.`, { depth });
  }
  requireCount('vgg', 'width', width, 4096);
  requireCount('vgg', 'hidden', hidden);
  requireOption(rate >= 0 && rate < 1, 'vgg', 'dropout', rate, 'numbers in [0, 1)');
  const name = `vgg${depth}`;
  const chosen = { width, batchNorm: norm, hidden, dropout: rate };
  const config = {
    backbone: name,
    ...differing(chosen, { width: 64, batchNorm: false, hidden: 4096, dropout: 0.5 }),
  };
  return {
    name,
    config,
    build({ inputShape, classes, scope }): Backbone {
      requireImages(name, inputShape, 2 ** perStage.length);
      const { blocks, shape } = createBlocks(perStage, width, norm, inputShape, scope.scope('features'));
      const classifier = createVggClassifier(scope.scope('classifier'), shape, hidden, rate, classes);
      return { name, config, inputShape, classes, blocks, classifier };
    },
  };
}

function createBlocks(
  perStage: readonly number[],
  width: number,
  norm: boolean,
  inputShape: Shape3,
  scope: ParameterScope,
): BlockLine {
  const line = new BlockLine(inputShape);
  // The index of a layer in torchvision's nn.Sequential, where ReLU and pooling count too.
  let layer = 0;
  perStage.forEach((count, stage) => {
    for (let index = 0; index < count; index++) {
      const pool = index === count - 1;
      const options = { scope, channels: width * 2 ** Math.min(stage, 3), norm, layer, pool };
      line.add(referenceOf(stage, index), (shape) => vggBlock({ ...options, inputShape: shape }));
      layer += (norm ? 3 : 2) + (pool ? 1 : 0);
    }
  });
  return line;
}

/** The first convolution is the stem, so that the others of its stage count from 0. */
function referenceOf(stage: number, index: number): BlockReference {
  if (stage > 0) return [stage + 1, index];
  return index === 0 ? [0, 0] : [1, index - 1];
}

interface VggBlockOptions {
  readonly scope: ParameterScope;
  readonly inputShape: Shape3;
  readonly channels: number;
  readonly norm: boolean;
  readonly layer: number;
  readonly pool: boolean;
}

function vggBlock(options: VggBlockOptions): Block {
  const { scope, inputShape, channels, norm, layer, pool } = options;
  const members = membersOf(inputShape, [
    (shape) =>
      conv2d({
        name: 'conv',
        scope,
        inputShape: shape,
        channels,
        biasInitializer: zeros,
        layer: String(layer),
      }),
    ...(norm ? [(shape: Shape3) => batchNorm({ name: 'bn', scope, inputShape: shape, layer: String(layer + 1) })] : []),
    (shape) => relu('relu', shape),
    ...(pool ? [(shape: Shape3) => maxPool({ name: 'pool', inputShape: shape, size: 2, stride: 2, padding: 0 })] : []),
  ]);
  return sequential(`features.${layer}`, members, (other) => vggBlock({ ...options, scope: other }));
}

function createVggClassifier(
  scope: ParameterScope,
  inputShape: Shape3,
  hidden: number,
  rate: number,
  classes: number,
): Head {
  const layer = (index: number, units: number) => (shape: Shape3) =>
    dense({
      name: `fc${index}`,
      scope,
      inputShape: shape,
      units,
      layer: String(index),
      initializer: normal(0.01),
      biasInitializer: zeros,
    });
  const drop = (index: number) => (shape: Shape3) =>
    dropout({ name: `dropout${index}`, scope, inputShape: shape, rate });
  const isFinalSize = inputShape[0] === finalSize && inputShape[1] === finalSize;
  const blocks = membersOf(inputShape, [
    ...(isFinalSize ? [] : [(shape: Shape3) => adaptiveAveragePool('pool', shape, [finalSize, finalSize])]),
    (shape) => flattenChannelsFirst('flatten', shape),
    layer(0, hidden),
    (shape) => relu('relu1', shape),
    drop(2),
    layer(3, hidden),
    (shape) => relu('relu4', shape),
    drop(5),
    layer(6, classes),
  ]);
  return blockHead({ name: 'classifier', blocks, loss: softmaxCrossEntropy });
}
