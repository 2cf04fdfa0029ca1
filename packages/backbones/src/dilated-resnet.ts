import {
  type Backbone,
  type BackboneFactory,
  type Block,
  type Head,
  LocalgradError,
  type ParameterScope,
  rejectUnknownKeys,
  requireOption,
  type Shape3,
} from '@localgrad/core';
import {
  adaptiveAveragePool,
  bilinearUpsample,
  conv2d,
  convBatchNormRelu,
  dropout,
  maxPool,
  parallelConcatenation,
  sequential,
} from '@localgrad/nn/blocks';
import { blockHead } from '@localgrad/nn/heads';
import { type PixelCrossEntropyOptions, pixelCrossEntropy } from '@localgrad/nn/losses';
import { membersOf } from './block-line.js';
import { differing, requireCount } from './check-options.js';
import { createBlocks, imageNetLayers, imageNetStem, type Layers } from './imagenet-resnet.js';

/** Options of `fcnResNet` and `deepLabV3`. */
export interface DilatedResNetOptions {
  /** 18 and 34 have BasicBlocks; 50, 101 and 152 Bottlenecks. */
  readonly depth: number;
  /** Channels of the stem; stages have 1, 2, 4 and 8 times as many (Bottlenecks put out four times those). Default 64. */
  readonly width?: number;
  /** Blocks per stage, instead of those of the depth. */
  readonly layers?: Layers;
}

/** Options of `deepLabV3`. */
export interface DeepLabV3Options extends DilatedResNetOptions {
  /**
   * Where the network deviates from others of its name: `torchvision` (default), or `mmsegmentation`, as in InfoPro's
   * experiments: a stem of three 3×3 convolutions, a wider pyramid that is projected by 3×3 filters, and the loss averaged over
   * all pixels, labeled or not.
   */
  readonly variant?: 'torchvision' | 'mmsegmentation';
  /** Dilations of the pyramid's 3×3 convolutions. Default [12, 24, 36]. */
  readonly rates?: readonly number[];
}

const commonOptions = ['depth', 'width', 'layers'];

/**
 * Fully convolutional network (Long et al., CVPR 2015) on a ResNet whose last two stages dilate their filters instead of halving
 * the map, so that it has an eighth of the image's size (docs/methods/networks.md §11). Reads label maps (target `masks`, 255
 * for pixels without a class). Parameters have the names of torchvision.
 *
 * @throws LocalgradError `invalid-option`
 */
export function fcnResNet(options: DilatedResNetOptions): BackboneFactory {
  rejectUnknownKeys('fcnResNet', options, commonOptions);
  return dilatedResNet('fcnResNet', 'fcn', options, {
    stem: imageNetStem,
    pyramid: undefined,
    head: (inputShape, scope) => {
      const channels = Math.max(1, Math.floor(inputShape[2] / 4));
      const classifier = scope.scope('classifier');
      return {
        scores: '4',
        scope: classifier,
        hidden: membersOf(inputShape, [
          (shape) => hiddenConvolution(['0', '1'], channels, shape, classifier),
          (shape) => dropout({ name: 'dropout', scope: classifier, inputShape: shape, rate: 0.1 }),
        ]),
      };
    },
    config: {},
    loss: {},
  });
}

/**
 * DeepLab-V3 (Chen et al., 2017): the network of `fcnResNet` with a pyramid of dilated convolutions of several rates between
 * the ResNet and the classifier (docs/methods/networks.md §11). The pyramid is the last block, so that a partition can cut
 * before it.
 *
 * @throws LocalgradError `invalid-option`
 */
export function deepLabV3(options: DeepLabV3Options): BackboneFactory {
  const where = 'deepLabV3';
  rejectUnknownKeys(where, options, [...commonOptions, 'variant', 'rates']);
  const { variant = 'torchvision', rates = [12, 24, 36], ...rest } = options;
  requireOption(
    ['torchvision', 'mmsegmentation'].includes(variant),
    where,
    'variant',
    variant,
    'torchvision, mmsegmentation',
  );
  const areRates =
    Array.isArray(rates) && rates.length > 0 && rates.every((rate) => Number.isInteger(rate) && rate > 0);
  requireOption(areRates, where, 'rates', rates, 'positive integers');
  const config = differing({ variant, rates: [...rates] }, { variant: 'torchvision', rates: [12, 24, 36] });
  const parts = variant === 'torchvision' ? torchvisionParts(rates) : mmsegmentationParts(rates);
  return dilatedResNet(where, 'deeplabv3', rest, { ...parts, config });
}

/** What follows the ResNet, and its stem. */
interface Parts {
  readonly stem: (channels: number, inputShape: Shape3, scope: ParameterScope) => Block;
  /** @param width channels of the stem, 64 in the publications */
  readonly pyramid: ((inputShape: Shape3, width: number, scope: ParameterScope) => Block) | undefined;
  /** The blocks before the scores, and the layer of the scores. */
  readonly head: (inputShape: Shape3, scope: ParameterScope) => ScoredHead;
  readonly loss: PixelCrossEntropyOptions;
  readonly config: BackboneFactory['config'];
}

interface ScoredHead {
  readonly hidden: readonly Block[];
  readonly scores: string;
  readonly scope: ParameterScope;
}

function torchvisionParts(rates: readonly number[]): Omit<Parts, 'config'> {
  return {
    stem: imageNetStem,
    pyramid: (inputShape, width, scope) => {
      const channels = 4 * width;
      const own = scope.scope('classifier').scope('0');
      const convs = own.scope('convs');
      const named = (index: number) => convs.scope(String(index));
      const branches = [
        pointwise(['0', '1'], channels, inputShape, named(0)),
        ...rates.map((dilation, index) =>
          hiddenConvolution(['0', '1'], channels, inputShape, named(index + 1), dilation),
        ),
        imageBranch(['1', '2'], channels, inputShape, named(rates.length + 1)),
      ];
      const joined = parallelConcatenation('branches', branches);
      const project = pointwise(['0', '1'], channels, joined.outputShape, own.scope('project'));
      const drop = dropout({ name: 'dropout', scope: own, inputShape: project.outputShape, rate: 0.5 });
      return sequential('aspp', [joined, project, drop]);
    },
    head: (inputShape, scope) => {
      const classifier = scope.scope('classifier');
      const hidden = [hiddenConvolution(['1', '2'], inputShape[2], inputShape, classifier)];
      return { hidden, scores: '4', scope: classifier };
    },
    loss: {},
  };
}

function mmsegmentationParts(rates: readonly number[]): Omit<Parts, 'config'> {
  return {
    stem: deepStem,
    pyramid: (inputShape, width, scope) => {
      const channels = 8 * width;
      const own = scope.scope('decode_head');
      const names = ['conv', 'bn'] as const;
      const module = (index: number) => own.scope('aspp_modules').scope(String(index));
      const branches = [
        imageBranch(names, channels, inputShape, own.scope('image_pool').scope('1')),
        pointwise(names, channels, inputShape, module(0)),
        ...rates.map((dilation, index) => hiddenConvolution(names, channels, inputShape, module(index + 1), dilation)),
      ];
      const joined = parallelConcatenation('branches', branches);
      const bottleneck = hiddenConvolution(names, channels, joined.outputShape, own.scope('bottleneck'));
      return sequential('aspp', [joined, bottleneck]);
    },
    head: (inputShape, scope) => {
      const own = scope.scope('decode_head');
      const hidden = [dropout({ name: 'dropout', scope: own, inputShape, rate: 0.1, per: 'channel' })];
      return { hidden, scores: 'conv_seg', scope: own };
    },
    loss: { over: 'all' },
  };
}

function dilatedResNet(where: string, family: string, options: DilatedResNetOptions, parts: Parts): BackboneFactory {
  const { depth, width = 64 } = options;
  const standard = imageNetLayers.find((one) => one.depth === depth);
  if (standard === undefined) {
    const allowed = imageNetLayers.map((one) => one.depth).join(', ');
    throw new LocalgradError('invalid-option', `${where}: option 'depth' is ${depth}; allowed: ${allowed}.`, { depth });
  }
  requireCount(where, 'width', width, 4096);
  const { layers = standard.layers } = options;
  const isLayers = layers.length === 4 && layers.every((count) => Number.isInteger(count) && count >= 1);
  requireOption(isLayers, where, 'layers', layers, 'four positive integers: blocks per stage');
  const name = `${family}-resnet${depth}`;
  const defaults = { width: 64, layers: [...standard.layers] };
  const config = { backbone: name, ...differing({ width, layers: [...layers] }, defaults), ...parts.config };
  const stages = {
    bottlenecks: standard.bottlenecks,
    width,
    layers,
    groups: 1,
    widthPerGroup: 64,
    zeroInitialize: false,
    strides: [1, 2, 1, 1],
    dilations: [1, 1, 2, 4],
    stem: parts.stem,
  } as const;
  const factory: BackboneFactory = {
    name,
    config,
    build({ inputShape, classes, scope }): Backbone {
      const line = createBlocks(stages, inputShape, scope.scope('backbone'));
      const { pyramid } = parts;
      if (pyramid !== undefined) line.add([5, 0], (shape) => pyramid(shape, width, scope));
      const classifier = pixelClassifier(parts.head(line.shape, scope), line.shape, inputShape, classes, parts.loss);
      return { name, config, inputShape, classes, blocks: line.blocks, classifier, factory };
    },
  };
  return factory;
}

function pixelClassifier(
  { hidden, scores: layer, scope }: ScoredHead,
  featureShape: Shape3,
  [height, width]: Shape3,
  classes: number,
  loss: PixelCrossEntropyOptions,
): Head {
  const inputShape = hidden.at(-1)?.outputShape ?? featureShape;
  const scores = conv2d({ name: 'scores', scope, layer, inputShape, channels: classes, kernelSize: 1, padding: 0 });
  const upsample = bilinearUpsample('upsample', scores.outputShape, [height, width], { alignCorners: false });
  return blockHead({ name: 'classifier', blocks: [...hidden, scores, upsample], loss: pixelCrossEntropy(loss) });
}

type Names = readonly [convolution: string, batchNorm: string];

function hiddenConvolution(
  names: Names,
  channels: number,
  inputShape: Shape3,
  scope: ParameterScope,
  dilation = 1,
): Block {
  return convBatchNormRelu({ name: `conv3x3-${dilation}`, scope, inputShape, channels, names, dilation });
}

function pointwise(names: Names, channels: number, inputShape: Shape3, scope: ParameterScope): Block {
  return convBatchNormRelu({ name: 'conv1x1', scope, inputShape, channels, names, kernelSize: 1 });
}

/** The mean of the map, convolved, at every pixel. */
function imageBranch(names: Names, channels: number, inputShape: Shape3, scope: ParameterScope): Block {
  const [height, width] = inputShape;
  const members = membersOf(inputShape, [
    (shape) => adaptiveAveragePool('pool', shape, [1, 1]),
    (shape) => pointwise(names, channels, shape, scope),
    (shape) => bilinearUpsample('upsample', shape, [height, width], { alignCorners: false }),
  ]);
  return sequential('image', members);
}

/** Three 3×3 convolutions instead of one of 7×7 (ResNet-C of He et al., 2019), then 3×3 max pooling with stride 2. */
function deepStem(channels: number, inputShape: Shape3, scope: ParameterScope): Block {
  const narrow = Math.max(1, Math.floor(channels / 2));
  const layers = [
    { names: ['0', '1'], channels: narrow, stride: 2 },
    { names: ['3', '4'], channels: narrow, stride: 1 },
    { names: ['6', '7'], channels, stride: 1 },
  ] as const;
  const members = membersOf(inputShape, [
    ...layers.map(
      (layer) => (shape: Shape3) =>
        convBatchNormRelu({ ...layer, name: `conv${layer.names[0]}`, scope: scope.scope('stem'), inputShape: shape }),
    ),
    (shape) => maxPool({ name: 'maxpool', inputShape: shape }),
  ]);
  return sequential('stem', members, (other) => deepStem(channels, inputShape, other));
}
