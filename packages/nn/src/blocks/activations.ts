import { type Block, bytesOf, requireOption, type Shape3, sizeOf } from '@localgrad/core';
import { currentKernels } from '@localgrad/kernels';
import {
  leakyRelu as leakyReluOf,
  mul,
  type Rank,
  relu as reluOf,
  reshape,
  sigmoid as sigmoidOf,
  sub,
  type Tensor4D,
  tidy,
} from '@tensorflow/tfjs';
import { batched } from './convolution-unit.js';
import { parameterless } from './parameterless.js';

/** max(x, 0) */
export function relu(name: string, shape: Shape3): Block {
  return parameterless({
    name,
    inputShape: shape,
    outputShape: shape,
    reads: { input: false, output: true },
    holdsCotangent: true,
    apply: (x) => reluOf(x),
    pullBack: (dy, _input, output) => consume(dy, () => currentKernels().reluGradient(dy, output, 0)),
    applyPeakBytes: (batchSize) => bytesOf(shape, batchSize),
    pullBackPeakBytes: (batchSize) => bytesOf(shape, batchSize),
  });
}

/** max(x, 0) + slope·min(x, 0) with a positive slope. */
export function leakyRelu(name: string, shape: Shape3, slope = 0.01): Block {
  requireOption(slope > 0 && slope < 1, 'leakyRelu', 'slope', slope, 'numbers between 0 and 1');
  return parameterless({
    name,
    inputShape: shape,
    outputShape: shape,
    // The output has the input's sign.
    reads: { input: false, output: true },
    holdsCotangent: true,
    apply: (x) => leakyReluOf(x, slope),
    pullBack: (dy, _input, output) => consume(dy, () => currentKernels().reluGradient(dy, output, slope)),
    applyPeakBytes: (batchSize) => bytesOf(shape, batchSize),
    pullBackPeakBytes: (batchSize) => bytesOf(shape, batchSize),
  });
}

/** 1/(1 + e⁻ˣ) */
export function sigmoid(name: string, shape: Shape3): Block {
  return parameterless({
    name,
    inputShape: shape,
    outputShape: shape,
    reads: { input: false, output: true },
    holdsCotangent: true,
    apply: (x) => sigmoidOf(x),
    pullBack: (dy, _input, output) => consume(dy, () => mul(dy, mul(output, sub(1, output)))),
    applyPeakBytes: (batchSize) => bytesOf(shape, batchSize),
    // 1 − y, y·(1 − y) and the product are alive at the same time.
    pullBackPeakBytes: (batchSize) => 3 * bytesOf(shape, batchSize),
  });
}

/** [n, h, w, c] → [n, 1, 1, h·w·c], in row-major order with channels last. */
export function flatten(name: string, shape: Shape3): Block {
  return parameterless({
    name,
    inputShape: shape,
    outputShape: [1, 1, sizeOf(shape)],
    reads: { input: false, output: false },
    holdsCotangent: true,
    apply: (x) => reshape<Rank.R4>(x, [x.shape[0], 1, 1, sizeOf(shape)]),
    pullBack: (dy) => consume(dy, () => reshape<Rank.R4>(dy, batched(shape, dy.shape[0]))),
    isView: true,
    applyPeakBytes: () => 0,
    pullBackPeakBytes: () => 0,
  });
}

/** Runs `compute` in a tidy, then disposes `dy`. */
export function consume(dy: Tensor4D, compute: () => Tensor4D): Tensor4D {
  const result = tidy(compute);
  dy.dispose();
  return result;
}
