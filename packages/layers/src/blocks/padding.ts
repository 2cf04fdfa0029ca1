import { type Block, bytesOf, type Shape3 } from '@localgrad/core';
import type { Padding } from '@localgrad/kernels';
import { parameterless } from '@localgrad/nn/blocks';
import { pad, slice, type Tensor4D } from '@tensorflow/tfjs';

export const noPadding: Padding = { top: 0, bottom: 0, left: 0, right: 0 };

type Pair = readonly [height: number, width: number];

/** TensorFlow's padding `same`, which is larger at the bottom and on the right where it is odd. */
export function samePadding([height, width]: Shape3, window: Pair, stride: Pair): Padding {
  const total = (size: number, axis: 0 | 1) =>
    Math.max((Math.ceil(size / stride[axis]) - 1) * stride[axis] + window[axis] - size, 0);
  const [rows, columns] = [total(height, 0), total(width, 1)];
  const [top, left] = [Math.floor(rows / 2), Math.floor(columns / 2)];
  return { top, bottom: rows - top, left, right: columns - left };
}

/** Whether opposite sides have the same padding. */
export function isSymmetric({ top, bottom, left, right }: Padding): boolean {
  return top === bottom && left === right;
}

/** Zeros around a feature map. */
export function zeroPadding(name: string, inputShape: Shape3, { top, bottom, left, right }: Padding): Block {
  const [height, width, channels] = inputShape;
  const outputShape: Shape3 = [height + top + bottom, width + left + right, channels];
  return parameterless({
    name,
    inputShape,
    outputShape,
    reads: { input: false, output: false },
    holdsCotangent: true,
    apply: (x) =>
      pad(x, [
        [0, 0],
        [top, bottom],
        [left, right],
        [0, 0],
      ]),
    pullBack: (dy) => {
      const dx: Tensor4D = slice(dy, [0, top, left, 0], [dy.shape[0], height, width, channels]);
      dy.dispose();
      return dx;
    },
    applyPeakBytes: (batchSize) => bytesOf(outputShape, batchSize),
    pullBackPeakBytes: (batchSize) => bytesOf(inputShape, batchSize),
  });
}
