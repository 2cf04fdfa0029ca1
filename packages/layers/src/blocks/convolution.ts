import type { Block, Shape3 } from '@localgrad/core';
import { conv2d, depthwiseConv2d } from '@localgrad/nn/blocks';
import { fusedActivation } from './activations.js';
import type { LayerContext } from './layer-context.js';
import { noPadding, samePadding, uniformPadding, zeroPadding } from './padding.js';
import { layerOnTape } from './tape-layer.js';

interface Geometry {
  /** Zeros that the convolution does not add itself, because they differ by side. */
  readonly before: Block[];
  /** Input of the convolution. */
  readonly inputShape: Shape3;
  readonly kernelSize: number;
  readonly stride: number;
  readonly padding: number;
}

/** The geometry of a convolution layer; undefined if a block's convolution has no such geometry. */
function geometryOf(context: LayerContext): Geometry | undefined {
  const { config, name, inputShape } = context;
  context.requireChannelsLast();
  const [kernelSize, strides, dilation] = [
    config.pair('kernelSize'),
    config.pair('strides', 1),
    config.pair('dilationRate', 1),
  ];
  if (dilation[0] !== 1 || dilation[1] !== 1) {
    throw context.unsupported(
      `has the dilation rate ${dilation.join('×')}, for which TensorFlow.js has no gradient; allowed: 1`,
    );
  }
  const isSquare = kernelSize[0] === kernelSize[1] && strides[0] === strides[1];
  if (!isSquare) return undefined;
  const padding = config.text('padding', 'valid') === 'same' ? samePadding(inputShape, kernelSize, strides) : noPadding;
  const common = uniformPadding(padding);
  const geometry = { kernelSize: kernelSize[0], stride: strides[0] };
  if (common !== undefined) return { before: [], inputShape, padding: common, ...geometry };
  const zeros = zeroPadding(`${name}_padding`, inputShape, padding);
  return { before: [zeros], inputShape: zeros.outputShape, padding: 0, ...geometry };
}

/** Conv2D. Oblong filters and strides run on the tape. */
export function convolutionBlocks(context: LayerContext): Block[] {
  const geometry = geometryOf(context);
  if (geometry === undefined) return [layerOnTape(context)];
  const { before, ...shape } = geometry;
  const { name, config } = context;
  const scope = context.scope({ weight: 'kernel', bias: 'bias' });
  const convolution = conv2d({
    name,
    scope,
    channels: config.number('filters'),
    bias: config.boolean('useBias', true),
    ...shape,
  });
  return [...before, convolution, ...fusedActivation(context, convolution.outputShape)];
}

/** DepthwiseConv2D; on the tape as above. */
export function depthwiseBlocks(context: LayerContext): Block[] {
  const geometry = geometryOf(context);
  if (geometry === undefined) return [layerOnTape(context)];
  const { before, ...shape } = geometry;
  const { name, config } = context;
  const scope = context.scope({ weight: 'depthwise_kernel', bias: 'bias' });
  const convolution = depthwiseConv2d({
    name,
    scope,
    multiplier: config.number('depthMultiplier', 1),
    bias: config.boolean('useBias', true),
    ...shape,
  });
  return [...before, convolution, ...fusedActivation(context, convolution.outputShape)];
}

/** SeparableConv2D: a depthwise convolution without bias, and one of 1×1; on the tape as above. */
export function separableBlocks(context: LayerContext): Block[] {
  const geometry = geometryOf(context);
  if (geometry === undefined) return [layerOnTape(context)];
  const { before, ...shape } = geometry;
  const { name, config } = context;
  const scope = context.scope({
    'depthwise.weight': 'depthwise_kernel',
    'pointwise.weight': 'pointwise_kernel',
    'pointwise.bias': 'bias',
  });
  const depthwise = depthwiseConv2d({
    name: `${name}_depthwise`,
    scope,
    layer: 'depthwise',
    multiplier: config.number('depthMultiplier', 1),
    bias: false,
    ...shape,
  });
  const pointwise = conv2d({
    name,
    scope,
    layer: 'pointwise',
    inputShape: depthwise.outputShape,
    channels: config.number('filters'),
    kernelSize: 1,
    bias: config.boolean('useBias', true),
  });
  return [...before, depthwise, pointwise, ...fusedActivation(context, pointwise.outputShape)];
}
