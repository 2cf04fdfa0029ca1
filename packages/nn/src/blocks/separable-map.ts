import { type Block, bytesOf, type Shape3 } from '@localgrad/core';
import { type AxisMap, currentKernels } from '@localgrad/kernels';
import { type Rank, reshape, type Tensor4D, tidy } from '@tensorflow/tfjs';
import { consume } from './activations.js';
import { parameterless } from './parameterless.js';

export type { AxisMap } from '@localgrad/kernels';

/**
 * A linear map that is separable into rows and columns: pooling over arbitrary bins, bilinear resizing. Exact gradient
 * on every backend.
 */
export function separableMap(name: string, inputShape: Shape3, rows: AxisMap, columns: AxisMap): Block {
  const [height, width, channels] = inputShape;
  const outputShape: Shape3 = [rows.length, columns.length, channels];
  const between: Shape3 = [rows.length, width, channels];
  const matrices = 4 * (rows.length * height + columns.length * width);
  return parameterless({
    name,
    inputShape,
    outputShape,
    reads: { input: false, output: false },
    multiplyAccumulates: channels * (rows.length * height * width + rows.length * columns.length * width),
    holdsCotangent: true,
    apply: (x) => tidy(() => applyAxes(x, rows, columns, false)),
    pullBack: (dy) => consume(dy, () => applyAxes(dy, rows, columns, true)),
    applyPeakBytes: (batchSize) => matrices + bytesOf(between, batchSize) + bytesOf(outputShape, batchSize),
    pullBackPeakBytes: (batchSize) =>
      matrices + bytesOf([height, columns.length, channels], batchSize) + bytesOf(inputShape, batchSize),
  });
}

function applyAxes(x: Tensor4D, rows: AxisMap, columns: AxisMap, transposed: boolean): Tensor4D {
  const { mapAxis } = currentKernels();
  const [batch, height, width, channels] = x.shape;
  const newHeight = transposed ? (rows[0]?.length ?? 0) : rows.length;
  const newWidth = transposed ? (columns[0]?.length ?? 0) : columns.length;
  const tall = mapAxis(reshape<Rank.R3>(x, [batch, height, width * channels]), rows, transposed);
  const wide = mapAxis(reshape<Rank.R3>(tall, [batch * newHeight, width, channels]), columns, transposed);
  return reshape<Rank.R4>(wide, [batch, newHeight, newWidth, channels]);
}
