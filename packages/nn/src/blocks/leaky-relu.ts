import { type Block, bytesOf, requireOption, type Shape3 } from '@localgrad/core';
import { leakyRelu as leakyReluOf, maximum, mul, step } from '@tensorflow/tfjs';
import { consume } from './activations.js';
import { parameterless } from './parameterless.js';

/** x for x > 0, else slope · x. Default slope: 0.01, PyTorch's. */
export function leakyRelu(name: string, shape: Shape3, slope = 0.01): Block {
  requireOption(slope > 0 && slope < 1, 'leakyRelu', 'slope', slope, 'numbers between 0 and 1');
  return parameterless({
    name,
    inputShape: shape,
    outputShape: shape,
    // The output has the sign of the input.
    reads: { input: false, output: true },
    apply: (x) => leakyReluOf(x, slope),
    pullBack: (dy, _input, output) => consume(dy, () => mul(dy, maximum(step(output), slope))),
    applyPeakBytes: (batchSize) => bytesOf(shape, batchSize),
    pullBackPeakBytes: (batchSize) => 3 * bytesOf(shape, batchSize),
  });
}
