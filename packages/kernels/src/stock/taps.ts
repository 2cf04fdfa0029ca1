import * as tf from '@tensorflow/tfjs';
import type { Padding, Shape4 } from '../training-kernels.js';

/** Positions of windows on a map. */
export interface Windows {
  readonly window: readonly [height: number, width: number];
  readonly stride: readonly [height: number, width: number];
  readonly padding: Padding;
}

/** One cell of a window, by its row and column in the window. */
export interface Tap {
  readonly row: number;
  readonly column: number;
}

/** The taps of a window in row-major order. */
export function tapsOf({ window: [rows, columns] }: Windows): Tap[] {
  return Array.from({ length: rows * columns }, (_, index) => ({
    row: Math.floor(index / columns),
    column: index % columns,
  }));
}

export function outputSize({ window, stride, padding }: Windows, height: number, width: number): [number, number] {
  return [
    Math.floor((height + padding.top + padding.bottom - window[0]) / stride[0]) + 1,
    Math.floor((width + padding.left + padding.right - window[1]) / stride[1]) + 1,
  ];
}

/** A function that returns the values of x at one tap of all windows, [n, outHeight, outWidth, c]; `fill` outside of x. */
export function tapReader(x: tf.Tensor4D, windows: Windows, fill: number): (tap: Tap) => tf.Tensor4D {
  const { window, stride, padding } = windows;
  const [batch, height, width, channels] = x.shape;
  const [outHeight, outWidth] = outputSize(windows, height, width);
  const reach = [(outHeight - 1) * stride[0] + window[0], (outWidth - 1) * stride[1] + window[1]] as const;
  const framed = place(x, padding.top, padding.left, reach[0], reach[1], fill);
  return ({ row, column }) => {
    const end = [batch, row + (outHeight - 1) * stride[0] + 1, column + (outWidth - 1) * stride[1] + 1, channels];
    return tf.stridedSlice(framed, [0, row, column, 0], end, [1, stride[0], stride[1], 1]) as tf.Tensor4D;
  };
}

/** The adjoint of `tapReader`: writes one value per window to its cell at a tap, and 0 elsewhere. */
export function spreadTap(values: tf.Tensor4D, { row, column }: Tap, windows: Windows, [, height, width]: Shape4) {
  const { stride, padding } = windows;
  const [batch, outHeight, outWidth, channels] = values.shape;
  const wide = tf.pad(tf.reshape(values, [batch * outHeight * outWidth, 1, channels]), [
    [0, 0],
    [0, stride[1] - 1],
    [0, 0],
  ]);
  const spread = tf.pad(tf.reshape(wide, [batch * outHeight, 1, outWidth * stride[1] * channels]), [
    [0, 0],
    [0, stride[0] - 1],
    [0, 0],
  ]);
  const map = tf.reshape(spread, [batch, outHeight * stride[0], outWidth * stride[1], channels]) as tf.Tensor4D;
  return place(map, row - padding.top, column - padding.left, height, width, 0);
}

/** A map of the given size with x at row `top` and column `left`, cropped to fit; all other cells are `fill`. */
function place(x: tf.Tensor4D, top: number, left: number, height: number, width: number, fill: number): tf.Tensor4D {
  const [batch, rows, columns, channels] = x.shape;
  if (top === 0 && left === 0 && rows === height && columns === width) return x;
  const above = Math.max(0, top);
  const before = Math.max(0, left);
  const kept = [Math.min(rows + top, height) - above, Math.min(columns + left, width) - before] as const;
  if (kept[0] <= 0 || kept[1] <= 0) return tf.fill([batch, height, width, channels], fill);
  const cropped = tf.slice(x, [0, above - top, before - left, 0], [batch, kept[0], kept[1], channels]);
  const border: [number, number][] = [
    [0, 0],
    [above, height - above - kept[0]],
    [before, width - before - kept[1]],
    [0, 0],
  ];
  return tf.pad(cropped, border, fill);
}
