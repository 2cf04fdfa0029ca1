import { type Block, bytesOf, type Shape3 } from '@localgrad/core';
import { parameterless, relu, sigmoid } from '@localgrad/nn/blocks';
import { tapeBlock } from '@localgrad/nn/tape';
import { clipByValue, greater, layers, less, logicalAnd, mul, type Tensor4D, tidy } from '@tensorflow/tfjs';
import type { LayerContext } from './layer-context.js';
import { runLayer } from './tape-layer.js';

/** The blocks of an activation function by Keras' name; none for the identity. */
export function activationBlocks(context: LayerContext, activation: string, name: string, shape: Shape3): Block[] {
  switch (activation) {
    case 'linear':
      return [];
    case 'relu':
      return [relu(name, shape)];
    case 'relu6':
      return [boundedRelu(name, shape, 6)];
    case 'sigmoid':
      return [sigmoid(name, shape)];
    default:
      return [activationOnTape(context, activation, name, shape)];
  }
}

/** The activation that a layer with weights applies to its output. */
export function fusedActivation(context: LayerContext, shape: Shape3): Block[] {
  if (context.node.omitsSoftmax) return [];
  const activation = context.config.text('activation', 'linear');
  return activationBlocks(context, activation, `${context.name}_${activation}`, shape);
}

/** min(max(x, 0), bound) */
export function boundedRelu(name: string, shape: Shape3, bound: number): Block {
  return parameterless({
    name,
    inputShape: shape,
    outputShape: shape,
    reads: { input: false, output: true },
    holdsCotangent: true,
    apply: (x) => clipByValue(x, 0, bound),
    pullBack: (dy, _, output) => {
      const dx = tidy(() => mul<Tensor4D>(dy, logicalAnd(greater(output, 0), less(output, bound))));
      dy.dispose();
      return dx;
    },
    applyPeakBytes: (batchSize) => bytesOf(shape, batchSize),
    // Two masks of one byte per value, their conjunction, and the result; backends may store masks as float32.
    pullBackPeakBytes: (batchSize) => 4 * bytesOf(shape, batchSize),
  });
}

function activationOnTape({ node }: LayerContext, activation: string, name: string, shape: Shape3): Block {
  // The type lists the names that a layer may have.
  const config = { activation, name } as Parameters<typeof layers.activation>[0];
  const run = { layer: layers.activation(config), name, inputShapes: [node.shape], outputShape: shape, weights: [] };
  return tapeBlock({
    name,
    inputShape: shape,
    outputShape: shape,
    fn: (x, _, { mode }) => runLayer({ ...run, inputs: [x], training: mode.training }),
  });
}
