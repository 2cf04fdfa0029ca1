import { type Block, bytesOf, type Shape3 } from '@localgrad/core';
import { matMul, type Rank, reshape, type Tensor, type Tensor4D, tensor2d, tidy } from '@tensorflow/tfjs';
import { consume } from './activations.js';
import { parameterless } from './parameterless.js';

/** Weights of a linear map along one axis, [out][in]. */
export type AxisMap = readonly (readonly number[])[];

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
    apply: (x) => tidy(() => applyAxes(x, rows, columns, false)),
    pullBack: (dy) => consume(dy, () => applyAxes(dy, rows, columns, true)),
    applyPeakBytes: (batchSize) => matrices + bytesOf(between, batchSize) + bytesOf(outputShape, batchSize),
    pullBackPeakBytes: (batchSize) =>
      matrices + bytesOf([height, columns.length, channels], batchSize) + bytesOf(inputShape, batchSize),
  });
}

function applyAxes(x: Tensor4D, rows: AxisMap, columns: AxisMap, transposed: boolean): Tensor4D {
  const [batch, height, width, channels] = x.shape;
  const rowMatrix = asMatrix(rows);
  const columnMatrix = asMatrix(columns);
  const newHeight = transposed ? (rows[0]?.length ?? 0) : rows.length;
  const newWidth = transposed ? (columns[0]?.length ?? 0) : columns.length;
  const tall: Tensor = matMul(rowMatrix, reshape(x, [batch, height, width * channels]), transposed, false);
  const wide: Tensor = matMul(columnMatrix, reshape(tall, [batch * newHeight, width, channels]), transposed, false);
  return reshape<Rank.R4>(wide, [batch, newHeight, newWidth, channels]);
}

function asMatrix(map: AxisMap) {
  return tensor2d(map.map((line) => [...line]));
}
