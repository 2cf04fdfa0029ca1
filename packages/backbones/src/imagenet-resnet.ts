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
import { basicBlock, bottleneck, convBatchNormRelu, maxPool, sequential } from '@localgrad/nn/blocks';
import { createClassifier } from '@localgrad/nn/heads';
import { BlockLine, membersOf } from './block-line.js';
import { differing, requireCount } from './check-options.js';

interface Structure {
  readonly depth: number;
  /** Blocks per stage. */
  readonly layers: Layers;
  /** Bottlenecks instead of BasicBlocks. */
  readonly bottlenecks: boolean;
}

export const imageNetLayers: readonly Structure[] = [
  { depth: 18, layers: [2, 2, 2, 2], bottlenecks: false },
  { depth: 34, layers: [3, 4, 6, 3], bottlenecks: false },
  { depth: 50, layers: [3, 4, 6, 3], bottlenecks: true },
  { depth: 101, layers: [3, 4, 23, 3], bottlenecks: true },
  { depth: 152, layers: [3, 8, 36, 3], bottlenecks: true },
];

export const imageNetResNetDepths: readonly number[] = imageNetLayers.map(({ depth }) => depth);

export type Layers = readonly [stage1: number, stage2: number, stage3: number, stage4: number];

export interface ImageNetResNetOptions {
  /** 18 and 34 have BasicBlocks; 50, 101 and 152 Bottlenecks. */
  readonly depth: number;
  /** Channels of the stem; stages have 1, 2, 4 and 8 times as many (Bottlenecks put out four times those). Default 64. */
  readonly width?: number;
  /** Groups of a Bottleneck's 3×3 convolution; 32 in ResNeXt. Default 1. */
  readonly groups?: number;
  /** Channels of each group in the first stage, for a `width` of 64. Default 64. */
  readonly widthPerGroup?: number;
  /** Blocks per stage, instead of those of the depth. */
  readonly layers?: Layers;
  /** Start the last batch norm of each block at 0, as in MLAAN's ResNet-34. Default false. */
  readonly zeroInitialize?: boolean;
}

/**
 * ResNets and ResNeXts for ImageNet (docs/methods/networks.md §4): 7×7 stem with stride 2 and max pooling, four stages,
 * a Bottleneck's stride in its 3×3 convolution (version 1.5), global average pooling. Parameters have the names of
 * torchvision and timm.
 *
 * @throws LocalgradError `invalid-option`
 */
export function imageNetResNet(options: ImageNetResNetOptions): BackboneFactory {
  const where = 'imageNetResNet';
  rejectUnknownKeys(where, options, ['depth', 'width', 'groups', 'widthPerGroup', 'layers', 'zeroInitialize']);
  const { depth, width = 64, groups = 1, widthPerGroup = 64, zeroInitialize = false } = options;
  const standard = imageNetLayers.find((one) => one.depth === depth);
  if (standard === undefined) {
    const allowed = imageNetResNetDepths.join(', ');
    throw new LocalgradError('invalid-option', `${where}: option 'depth' is ${depth}; allowed: ${allowed}.`, { depth });
  }
  requireCount(where, 'width', width, 4096);
  requireCount(where, 'groups', groups);
  requireCount(where, 'widthPerGroup', widthPerGroup);
  const { bottlenecks } = standard;
  const isPlain = groups === 1 && widthPerGroup === 64;
  requireOption(bottlenecks || isPlain, where, 'groups', groups, `1, since ResNet-${depth} has BasicBlocks`);
  const isWide = Math.floor((width * widthPerGroup) / 64) >= 1;
  requireOption(
    isWide,
    where,
    'width',
    width,
    `at least ${Math.ceil(64 / widthPerGroup)}, so that a group has a channel`,
  );
  const { layers = standard.layers } = options;
  const isLayers = layers.length === 4 && layers.every((count) => Number.isInteger(count) && count >= 1);
  requireOption(isLayers, where, 'layers', layers, 'four positive integers: blocks per stage');
  const name = isPlain ? `resnet${depth}` : `resnext${depth}-${groups}x${widthPerGroup}d`;
  const defaults = { width: 64, layers: [...standard.layers], zeroInitialize: false };
  const config = { backbone: name, ...differing({ width, layers: [...layers], zeroInitialize }, defaults) };
  const stages = {
    bottlenecks,
    width,
    groups,
    widthPerGroup,
    layers,
    zeroInitialize,
    strides,
    dilations,
    stem: imageNetStem,
  };
  return {
    name,
    config,
    build({ inputShape, classes, scope }): Backbone {
      const { blocks, shape } = createBlocks(stages, inputShape, scope);
      const classifier = createClassifier({ scope, inputShape: shape, classes });
      return { name, config, inputShape, classes, blocks, classifier };
    },
  };
}

const strides = [1, 2, 2, 2] as const;
const dilations = [1, 1, 1, 1] as const;

/** Structure of the blocks of a ResNet for ImageNet. */
export interface Stages extends Required<Omit<ImageNetResNetOptions, 'depth'>> {
  readonly bottlenecks: boolean;
  /** Stride of each stage's first block. */
  readonly strides: PerStage;
  /** Distance of neighboring taps of the 3×3 filters of each stage; in its first block, half of it. */
  readonly dilations: PerStage;
  readonly stem: (channels: number, inputShape: Shape3, scope: ParameterScope) => Block;
}

type PerStage = readonly [number, number, number, number];

/** The blocks of a ResNet, without pooling and classifier. */
export function createBlocks(stages: Stages, inputShape: Shape3, scope: ParameterScope): BlockLine {
  const { layers, width, stem, strides, dilations } = stages;
  const line = new BlockLine(inputShape).add([0, 0], (shape) => stem(width, shape, scope));
  layers.forEach((count, stage) => {
    for (let index = 0; index < count; index++) {
      const layer = `layer${stage + 1}`;
      const place = {
        name: `${layer}.${index}`,
        scope: scope.scope(layer).scope(String(index)),
        stride: index === 0 ? (strides[stage] ?? 1) : 1,
        dilation: dilationOf(dilations[stage] ?? 1, index),
      };
      line.add([stage + 1, index], (shape) => createBlock(stages, width * 2 ** stage, { ...place, inputShape: shape }));
    }
  });
  return line;
}

/** A stage that would have halved the map keeps the dilation of the one before it in its first block, and doubles it after that. */
function dilationOf(dilation: number, index: number): number {
  return index === 0 ? Math.ceil(dilation / 2) : dilation;
}

interface Place {
  readonly name: string;
  readonly scope: ParameterScope;
  readonly inputShape: Shape3;
  readonly stride: number;
  readonly dilation: number;
}

function createBlock(stages: Stages, planes: number, place: Place): Block {
  const { bottlenecks, groups, widthPerGroup, zeroInitialize } = stages;
  if (!bottlenecks) return basicBlock({ ...place, channels: planes, zeroInitialize });
  const width = Math.floor((planes * widthPerGroup) / 64) * groups;
  return bottleneck({ ...place, channels: 4 * planes, width, groups, zeroInitialize });
}

/** 7×7 convolution with stride 2, batch norm, ReLU and 3×3 max pooling with stride 2. */
export function imageNetStem(channels: number, inputShape: Shape3, scope: ParameterScope): Block {
  const members = membersOf(inputShape, [
    (shape) =>
      convBatchNormRelu({
        name: 'conv',
        scope,
        inputShape: shape,
        channels,
        kernelSize: 7,
        stride: 2,
        padding: 3,
        names: ['conv1', 'bn1'],
      }),
    (shape) => maxPool({ name: 'maxpool', inputShape: shape }),
  ]);
  return sequential('stem', members, (other) => imageNetStem(channels, inputShape, other));
}
