import { type Block, bytesOf, type Shape3, sizeOf } from '@localgrad/core';
import { reshape, type Tensor4D, transpose } from '@tensorflow/tfjs';
import { flatten } from './activations.js';
import { parameterless } from './parameterless.js';

/**
 * [n, h, w, c] → [n, 1, 1, c·h·w] in PyTorch's order, channel by channel, so that the dense layer that follows has the
 * weights of the PyTorch network. `flatten` keeps channels last and copies nothing.
 */
export function flattenChannelsFirst(name: string, shape: Shape3): Block {
  const [height, width, channels] = shape;
  // Both orders are the same: nothing to copy.
  if (channels === 1 || height * width === 1) return flatten(name, shape);
  return parameterless({
    name,
    inputShape: shape,
    outputShape: [1, 1, sizeOf(shape)],
    reads: { input: false, output: false },
    holdsCotangent: true,
    apply: (x) => {
      const maps: Tensor4D = transpose(x, [0, 3, 1, 2]);
      const output: Tensor4D = reshape(maps, [x.shape[0], 1, 1, sizeOf(shape)]);
      maps.dispose();
      return output;
    },
    pullBack: (dy) => {
      const maps: Tensor4D = reshape(dy, [dy.shape[0], channels, height, width]);
      dy.dispose();
      const dx = transpose(maps, [0, 2, 3, 1]);
      maps.dispose();
      return dx;
    },
    applyPeakBytes: (batchSize) => bytesOf(shape, batchSize),
    pullBackPeakBytes: (batchSize) => bytesOf(shape, batchSize),
  });
}
