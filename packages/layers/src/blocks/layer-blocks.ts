import type { Block } from '@localgrad/core';
import { activationBlocks, boundedRelu } from './activations.js';
import { convolutionBlocks, depthwiseBlocks, separableBlocks } from './convolution.js';
import { batchNormBlocks, denseBlocks, dropoutBlocks, layerNormBlocks } from './dense.js';
import type { LayerBlocks, LayerContext } from './layer-context.js';
import { globalPoolingBlocks, poolingBlocks } from './pooling.js';
import { reshapeBlocks, zeroPaddingBlocks } from './shapes.js';
import { layerOnTape } from './tape-layer.js';

/** Layers with blocks of their own, by class; all others run on the tape. */
const ownBlocks: Readonly<Record<string, LayerBlocks>> = {
  Conv2D: convolutionBlocks,
  DepthwiseConv2D: depthwiseBlocks,
  SeparableConv2D: separableBlocks,
  Dense: denseBlocks,
  BatchNormalization: batchNormBlocks,
  LayerNormalization: layerNormBlocks,
  Dropout: dropoutBlocks,
  MaxPooling2D: poolingBlocks('max'),
  AveragePooling2D: poolingBlocks('average'),
  GlobalMaxPooling2D: globalPoolingBlocks('max'),
  GlobalAveragePooling2D: globalPoolingBlocks('average'),
  Flatten: reshapeBlocks,
  Reshape: reshapeBlocks,
  ZeroPadding2D: zeroPaddingBlocks,
  ReLU: reluBlocks,
  Softmax: softmaxBlocks,
  Activation: (context) =>
    context.node.omitsSoftmax
      ? []
      : activationBlocks(context, context.config.text('activation', 'linear'), context.name, context.inputShape),
};

/** The blocks that compute a layer, in sequence; none for the identity. @throws LocalgradError `invalid-option` */
export function layerBlocks(context: LayerContext): Block[] {
  requireNoPenalties(context);
  return ownBlocks[context.config.className]?.(context) ?? [layerOnTape(context)];
}

/** Softmax over the last axis, unless the loss contains it. */
function softmaxBlocks(context: LayerContext): Block[] {
  const { config, node } = context;
  const axis = config.number('axis', -1);
  if (axis !== -1 && axis !== node.shape.length) {
    throw context.unsupported(`has the axis ${axis}, which TensorFlow.js does not run; allowed: −1, the last one`);
  }
  return node.omitsSoftmax ? [] : [layerOnTape(context)];
}

/** ReLU with an optional upper bound. */
function reluBlocks(context: LayerContext): Block[] {
  const { name, config, inputShape } = context;
  if (config.has('maxValue')) {
    const bound = config.number('maxValue');
    if (!(bound >= 0)) throw context.unsupported(`has the maxValue ${bound}; allowed: numbers ≥ 0`);
    return [boundedRelu(name, inputShape, bound)];
  }
  return activationBlocks(context, 'relu', name, inputShape);
}

/** Local losses contain no penalties of layers, and updates no constraints. */
function requireNoPenalties(context: LayerContext): void {
  const found = Object.keys(context.node.layer.getConfig()).find(
    (key) => /(?:Regularizer|Constraint)$/.test(key) && context.config.has(key),
  );
  if (found === undefined) return;
  const advice = found.endsWith('Regularizer') ? '; remove it, and use weight decay' : '; remove it';
  throw context.unsupported(`has the option ${found}, which local training does not apply${advice}`);
}
