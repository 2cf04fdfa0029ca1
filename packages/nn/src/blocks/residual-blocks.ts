import {
  type Block,
  type Initializer,
  type ParameterScope,
  rejectUnknownKeys,
  requireOption,
  type Shape3,
} from '@localgrad/core';
import { ones, zeros } from '../random/initializers.js';
import { ConvolutionChain } from './convolution-chain.js';
import { type ConvolutionUnit, createConvolutionUnit } from './convolution-unit.js';

/** Options of `convBatchNormRelu`. */
export interface ConvBatchNormReluOptions {
  /** Name of the block, unique in its network. */
  readonly name: string;
  /** Scope in which the parameters are created. */
  readonly scope: ParameterScope;
  /** Shape [height, width, channels] of one sample's input. */
  readonly inputShape: Shape3;
  /** Number of output channels. */
  readonly channels: number;
  /** Default 3. */
  readonly kernelSize?: number;
  /** Default 1. */
  readonly stride?: number;
  /** Symmetric zero padding; the default preserves the size at stride 1. */
  readonly padding?: number;
  /** Distance of neighboring taps of the filter; above 1, only at stride 1 and with the default padding. Default 1. */
  readonly dilation?: number;
  /** Default true. */
  readonly relu?: boolean;
  /** Recompute activations in the backward pass instead of storing them. Default true. */
  readonly recompute?: boolean;
  /** Names of the layers below the scope. Default `conv` and `bn`. */
  readonly names?: readonly [convolution: string, batchNorm: string];
}

/** Convolution without bias, batch norm, and a ReLU unless `relu: false`. */
export function convBatchNormRelu(options: ConvBatchNormReluOptions): Block {
  const { name, scope, inputShape, channels, kernelSize = 3, stride = 1, relu = true, recompute = true } = options;
  const { dilation = 1, names = ['conv', 'bn'] } = options;
  const kept = (dilation * (kernelSize - 1)) / 2;
  const { padding = kept } = options;
  rejectUnknownKeys('convBatchNormRelu', options, [
    'name',
    'scope',
    'inputShape',
    'channels',
    'kernelSize',
    'stride',
    'padding',
    'dilation',
    'relu',
    'recompute',
    'names',
  ]);
  checkGeometry('convBatchNormRelu', channels, stride);
  checkDilation('convBatchNormRelu', dilation, stride === 1 && padding === kept);
  requireOption(Number.isInteger(padding) && padding >= 0, 'convBatchNormRelu', 'padding', padding, 'integers ≥ 0');
  const unit = createConvolutionUnit({ scope, names, inputShape, channels, kernelSize, stride, padding, dilation });
  const replicate = (other: ParameterScope) => convBatchNormRelu({ ...options, scope: other });
  return new ConvolutionChain({ name, units: [unit], shortcut: 'none', relu, recompute, replicate });
}

/** Options of `basicBlock`. */
export interface BasicBlockOptions {
  /** Name of the block, unique in its network. */
  readonly name: string;
  /** Scope in which the parameters are created. */
  readonly scope: ParameterScope;
  /** Shape [height, width, channels] of one sample's input. */
  readonly inputShape: Shape3;
  /** Number of output channels. */
  readonly channels: number;
  /** Stride of the first convolution; default 1. */
  readonly stride?: number;
  /** Distance of neighboring taps of the 3×3 filters; above 1, only at stride 1. Default 1. */
  readonly dilation?: number;
  /** Recompute activations in the backward pass instead of storing them. Default true. */
  readonly recompute?: boolean;
  /** Start the scale of the last batch norm at 0, so that the block starts as its shortcut. Default false. */
  readonly zeroInitialize?: boolean;
}

/**
 * Two 3×3 convolutions with batch norm and a shortcut, ReLU after the sum (He et al., post-activation). The shortcut is
 * the identity if shapes agree, else a 1×1 convolution with batch norm (option B). Parameter names are those of
 * PyTorch: `conv1`, `bn1`, `conv2`, `bn2`, `downsample.0`, `downsample.1`.
 */
export function basicBlock(options: BasicBlockOptions): Block {
  const { name, scope, inputShape, channels, stride = 1, dilation = 1, recompute = true } = options;
  rejectUnknownKeys('basicBlock', options, basicBlockKeys);
  checkGeometry('basicBlock', channels, stride);
  checkDilation('basicBlock', dilation, stride === 1);
  const shared = { scope, channels, kernelSize: 3, padding: dilation, dilation };
  const first = createConvolutionUnit({ ...shared, names: ['conv1', 'bn1'], inputShape, stride });
  const second = createConvolutionUnit({
    ...shared,
    names: ['conv2', 'bn2'],
    inputShape: first.outputShape,
    stride: 1,
    scaleInitializer: lastScale(options),
  });
  return new ConvolutionChain({
    name,
    units: [first, second],
    shortcut: createShortcut(scope, inputShape, channels, stride),
    relu: true,
    recompute,
    replicate: (other) => basicBlock({ ...options, scope: other }),
    resize: (other, geometry) => basicBlock({ ...options, ...geometry, scope: other }),
  });
}

/** Options of `bottleneck`. */
export interface BottleneckOptions extends BasicBlockOptions {
  /** Channels of the 3×3 convolution; default a quarter of `channels`. */
  readonly width?: number;
  /** Groups of the 3×3 convolution, as in ResNeXt; divides `width`. Default 1. */
  readonly groups?: number;
}

/** 1×1, 3×3 (with the stride) and 1×1 convolutions with batch norm and a shortcut as in `basicBlock`. */
export function bottleneck(options: BottleneckOptions): Block {
  const { name, scope, inputShape, channels, stride = 1, dilation = 1, recompute = true } = options;
  const { width = channels / 4, groups = 1 } = options;
  rejectUnknownKeys('bottleneck', options, [...basicBlockKeys, 'width', 'groups']);
  checkGeometry('bottleneck', channels, stride);
  checkDilation('bottleneck', dilation, stride === 1);
  requireOption(Number.isInteger(width) && width > 0, 'bottleneck', 'width', width, 'positive integers');
  const divides = Number.isInteger(groups) && groups > 0 && width % groups === 0;
  requireOption(divides, 'bottleneck', 'groups', groups, `divisors of the width, ${width}`);
  const narrow = { scope, channels: width };
  const first = createConvolutionUnit({
    ...narrow,
    names: ['conv1', 'bn1'],
    inputShape,
    kernelSize: 1,
    stride: 1,
    padding: 0,
  });
  const second = createConvolutionUnit({
    ...narrow,
    names: ['conv2', 'bn2'],
    inputShape: first.outputShape,
    kernelSize: 3,
    stride,
    padding: dilation,
    dilation,
    groups,
  });
  const third = createConvolutionUnit({
    scope,
    channels,
    names: ['conv3', 'bn3'],
    inputShape: second.outputShape,
    kernelSize: 1,
    stride: 1,
    padding: 0,
    scaleInitializer: lastScale(options),
  });
  return new ConvolutionChain({
    name,
    units: [first, second, third],
    shortcut: createShortcut(scope, inputShape, channels, stride),
    relu: true,
    recompute,
    replicate: (other) => bottleneck({ ...options, scope: other }),
    resize: (other, geometry) =>
      bottleneck({ ...options, ...geometry, scope: other, width: (width * geometry.channels) / channels }),
  });
}

const basicBlockKeys = ['name', 'scope', 'inputShape', 'channels', 'stride', 'dilation', 'recompute', 'zeroInitialize'];

function lastScale({ zeroInitialize = false }: BasicBlockOptions): Initializer {
  return zeroInitialize ? zeros : ones;
}

function createShortcut(
  scope: ParameterScope,
  inputShape: Shape3,
  channels: number,
  stride: number,
): 'identity' | ConvolutionUnit {
  if (stride === 1 && inputShape[2] === channels) return 'identity';
  return createConvolutionUnit({
    scope: scope.scope('downsample'),
    names: ['0', '1'],
    inputShape,
    channels,
    kernelSize: 1,
    stride,
    padding: 0,
  });
}

function checkGeometry(where: string, channels: number, stride: number): void {
  requireOption(Number.isInteger(channels) && channels > 0, where, 'channels', channels, 'positive integers');
  requireOption(Number.isInteger(stride) && stride > 0, where, 'stride', stride, 'positive integers');
}

function checkDilation(where: string, dilation: number, keepsSize: boolean): void {
  const allowed = keepsSize ? 'positive integers' : '1, since the convolution changes the size of the map';
  const isAllowed = Number.isInteger(dilation) && dilation > 0 && (keepsSize || dilation === 1);
  requireOption(isAllowed, where, 'dilation', dilation, allowed);
}
