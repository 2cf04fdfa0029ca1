import type { Block, Shape3 } from '@localgrad/core';
import { conv2d, depthwiseConv2d } from '@localgrad/nn/blocks';
import { shapeOf, variableOf } from '../layer-weights.js';
import { fusedActivation } from './activations.js';
import type { LayerContext } from './layer-context.js';
import { isSymmetric, noPadding, samePadding, zeroPadding } from './padding.js';

type Pair = readonly [height: number, width: number];

interface Geometry {
  /** Zeros that the convolution does not add itself, because they differ by side. */
  readonly before: Block[];
  /** Input of the convolution. */
  readonly inputShape: Shape3;
  readonly kernelSize: Pair;
  readonly stride: Pair;
  readonly padding: Pair;
  readonly dilation: Pair;
}

function geometryOf(context: LayerContext): Geometry {
  const { config, name, inputShape } = context;
  context.requireChannelsLast();
  const kernelSize = config.pair('kernelSize');
  const stride = config.pair('strides', 1);
  const dilation = dilationOf(context, stride);
  const reach: Pair = [(kernelSize[0] - 1) * dilation[0] + 1, (kernelSize[1] - 1) * dilation[1] + 1];
  const kind = config.text('padding', 'valid');
  if (kind !== 'same' && kind !== 'valid') {
    throw context.unsupported(`has padding '${kind}', which TensorFlow.js does not run; allowed: valid, same`);
  }
  const zeros = kind === 'same' ? samePadding(inputShape, reach, stride) : noPadding;
  const geometry = { kernelSize, stride, dilation };
  if (isSymmetric(zeros)) return { before: [], inputShape, padding: [zeros.top, zeros.left], ...geometry };
  const padded = zeroPadding(`${name}_padding`, inputShape, zeros);
  return { before: [padded], inputShape: padded.outputShape, padding: [0, 0], ...geometry };
}

/** Dilation rates, which TensorFlow.js' layers do not apply everywhere. */
function dilationOf(context: LayerContext, stride: Pair): Pair {
  const dilation = context.config.pair('dilationRate', 1);
  if (dilation.every((rate) => rate === 1)) return dilation;
  const rates = dilation.join('×');
  if (context.config.className === 'DepthwiseConv2D') {
    throw context.unsupported(`has the dilation rate ${rates}, which TensorFlow.js ignores in this layer; allowed: 1`);
  }
  if (stride.some((step) => step !== 1)) {
    throw context.unsupported(
      `has the dilation rate ${rates} and strides ${stride.join('×')}; TensorFlow.js runs only one of them above 1`,
    );
  }
  return dilation;
}

/** Conv2D. */
export function convolutionBlocks(context: LayerContext): Block[] {
  const { before, ...shape } = geometryOf(context);
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

/** DepthwiseConv2D. */
export function depthwiseBlocks(context: LayerContext): Block[] {
  const { before, ...shape } = geometryOf(context);
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

/** SeparableConv2D: a depthwise convolution without bias, and one of 1×1. */
export function separableBlocks(context: LayerContext): Block[] {
  const { before, ...shape } = geometryOf(context);
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
    multiplier: depthMultiplierOf(context),
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

/** Channels that SeparableConv2D makes of each input channel, which its config omits. */
function depthMultiplierOf({ node: { layer } }: LayerContext): number {
  const kernel = variableOf(layer, 'depthwise_kernel');
  return (kernel && shapeOf(kernel).at(-1)) ?? 1;
}
