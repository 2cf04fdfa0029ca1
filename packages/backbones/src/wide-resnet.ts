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
  batchNorm,
  conv2d,
  dense,
  dropout,
  globalAveragePool,
  normReluConvolution,
  parallelSum,
  relu,
  residual,
  sequential,
} from '@localgrad/nn/blocks';
import { blockHead } from '@localgrad/nn/heads';
import { softmaxCrossEntropy } from '@localgrad/nn/losses';
import { BlockLine, membersOf } from './block-line.js';
import { deepest, requireCount } from './check-options.js';

export interface WideResNetOptions {
  /** 6n + 4, with n blocks in each of the three stages. */
  readonly depth: number;
  /** Factor on the widths 16, 32 and 64 of the stages. */
  readonly widen: number;
  /** Dropout between the convolutions of a block, in [0, 1). Default 0. */
  readonly dropout?: number;
}

/**
 * Wide ResNet for small images (Zagoruyko & Komodakis, 2016; docs/methods/networks.md §9): 3×3 stem, three stages of
 * pre-activation blocks. Parameters have the names of the common PyTorch version (`block1.layer.0.convShortcut`).
 *
 * @throws LocalgradError `invalid-option`
 */
export function wideResNet(options: WideResNetOptions): BackboneFactory {
  rejectUnknownKeys('wideResNet', options, ['depth', 'widen', 'dropout']);
  const { depth, widen, dropout: rate = 0 } = options;
  requireOption(
    Number.isInteger(depth) && depth >= 10 && depth <= deepest && depth % 6 === 4,
    'wideResNet',
    'depth',
    depth,
    `6n + 4 up to ${deepest}: 10, 16, 22, 28, 40, …`,
  );
  requireCount('wideResNet', 'widen', widen, 128);
  requireOption(rate >= 0 && rate < 1, 'wideResNet', 'dropout', rate, 'numbers in [0, 1)');
  const name = `wide-resnet-${depth}-${widen}`;
  const config = { backbone: name, ...(rate === 0 ? {} : { dropout: rate }) };
  return {
    name,
    config,
    build({ inputShape, classes, scope }): Backbone {
      const { blocks, shape } = createBlocks((depth - 4) / 6, widen, rate, inputShape, scope);
      const classifier = blockHead({
        name: 'classifier',
        blocks: [
          batchNorm({ name: 'norm', scope, inputShape: shape, layer: 'bn1' }),
          relu('relu', shape),
          globalAveragePool('pool', shape),
          dense({ name: 'fc', scope, inputShape: [1, 1, shape[2]], units: classes, layer: 'fc' }),
        ],
        loss: softmaxCrossEntropy,
      });
      return { name, config, inputShape, classes, blocks, classifier };
    },
  };
}

function createBlocks(
  perStage: number,
  widen: number,
  rate: number,
  inputShape: Shape3,
  scope: ParameterScope,
): BlockLine {
  const line = new BlockLine(inputShape).add([0, 0], (shape) =>
    conv2d({ name: 'stem', scope, inputShape: shape, channels: 16, bias: false, layer: 'conv1' }),
  );
  for (const stage of [1, 2, 3]) {
    for (let index = 0; index < perStage; index++) {
      line.add([stage, index], (shape) =>
        wideBlock({
          name: `block${stage}.layer.${index}`,
          scope: scope.scope(`block${stage}`).scope('layer').scope(String(index)),
          inputShape: shape,
          channels: 16 * widen * 2 ** (stage - 1),
          stride: stage > 1 && index === 0 ? 2 : 1,
          rate,
        }),
      );
    }
  }
  return line;
}

interface WideBlockOptions {
  readonly name: string;
  readonly scope: ParameterScope;
  readonly inputShape: Shape3;
  readonly channels: number;
  readonly stride: number;
  readonly rate: number;
}

/**
 * Two units of batch norm, ReLU and a 3×3 convolution, added to the input. Where the number of channels changes, the
 * first unit's activation is shared with a 1×1 convolution, which replaces the identity.
 */
function wideBlock(options: WideBlockOptions): Block {
  const { name, inputShape, channels, stride } = options;
  if (inputShape[2] === channels && stride === 1) return residual(name, identityBody(options));
  return projectionBlock(options);
}

function identityBody(options: WideBlockOptions): Block {
  const { name, scope, inputShape, channels, rate } = options;
  const first = normReluConvolution({ name: 'unit1', scope, inputShape, channels, names: ['bn1', 'conv1'] });
  const members = [first, ...secondUnit(scope, first.outputShape, rate)];
  return sequential(name, members, (other) => identityBody({ ...options, scope: other }));
}

function projectionBlock(options: WideBlockOptions): Block {
  const { name, scope, inputShape, channels, stride, rate } = options;
  const convolution = (shape: Shape3, layer: string, kernelSize: number) =>
    conv2d({ name: layer, scope, inputShape: shape, channels, kernelSize, stride, bias: false, layer });
  const members = membersOf(inputShape, [
    (shape) => batchNorm({ name: 'norm', scope, inputShape: shape, layer: 'bn1' }),
    (shape) => relu('relu', shape),
    (shape) => {
      const first = convolution(shape, 'conv1', 3);
      const main = sequential('main', [first, ...secondUnit(scope, first.outputShape, rate)]);
      return parallelSum('sum', main, convolution(shape, 'convShortcut', 1));
    },
  ]);
  return sequential(name, members, (other) => projectionBlock({ ...options, scope: other }));
}

/** Batch norm, ReLU, dropout and a 3×3 convolution. */
function secondUnit(scope: ParameterScope, inputShape: Shape3, rate: number): Block[] {
  const channels = inputShape[2];
  if (rate === 0) {
    return [normReluConvolution({ name: 'unit2', scope, inputShape, channels, names: ['bn2', 'conv2'] })];
  }
  return [
    batchNorm({ name: 'norm2', scope, inputShape, layer: 'bn2' }),
    relu('relu2', inputShape),
    dropout({ name: 'dropout', scope, inputShape, rate }),
    conv2d({ name: 'conv2', scope, inputShape, channels, bias: false, layer: 'conv2' }),
  ];
}
