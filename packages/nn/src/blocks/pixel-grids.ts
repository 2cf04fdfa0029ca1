import type { Shape3 } from '@localgrad/core';
import { pad, type Rank, reshape, slice, type Tensor4D, transpose } from '@tensorflow/tfjs';

/**
 * The grids of pixels that are `step` apart, as a batch: a convolution of them is the dilated convolution of the map, with the
 * work of an ordinary one. A map whose size is no multiple of the step is padded with zeros.
 *
 * @param x [n, h, w, c]; borrowed @returns [n · step², ⌈h / step⌉, ⌈w / step⌉, c]
 */
export function toGrids(x: Tensor4D, step: number): Tensor4D {
  const [batch, height, width, channels] = x.shape;
  const [rows, columns] = gridSize([height, width], step);
  const [below, beside] = [rows * step - height, columns * step - width];
  const padded: Tensor4D =
    below + beside === 0
      ? x.clone()
      : pad(x, [
          [0, 0],
          [0, below],
          [0, beside],
          [0, 0],
        ]);
  const tall = swapMiddle(padded, [batch, rows, step, columns * step * channels]);
  const grids = swapMiddle(tall, [batch * step, rows * columns, step, channels]);
  const result = reshape<Rank.R4>(grids, [batch * step * step, rows, columns, channels]);
  grids.dispose();
  return result;
}

/** The map of its grids, the adjoint and inverse of `toGrids`. Consumes the grids. @param size [height, width] of the map */
export function fromGrids(grids: Tensor4D, step: number, [height, width]: readonly [number, number]): Tensor4D {
  const [count, rows, columns, channels] = grids.shape;
  const batch = count / step / step;
  const tall = swapMiddle(grids, [batch * step, step, rows * columns, channels]);
  const map = swapMiddle(tall, [batch, step, rows, columns * step * channels]);
  const whole = reshape<Rank.R4>(map, [batch, rows * step, columns * step, channels]);
  map.dispose();
  if (rows * step === height && columns * step === width) return whole;
  const part: Tensor4D = slice(whole, [0, 0, 0, 0], [batch, height, width, channels]);
  whole.dispose();
  return part;
}

/** Bytes of `toGrids`' result. */
export function gridBytes([height, width, channels]: Shape3, step: number, batchSize: number): number {
  const [rows, columns] = gridSize([height, width], step);
  return 4 * batchSize * step * step * rows * columns * channels;
}

function gridSize([height, width]: readonly [number, number], step: number): readonly [rows: number, columns: number] {
  return [Math.ceil(height / step), Math.ceil(width / step)];
}

/** Swaps the two middle axes of a tensor seen in another shape; consumes it. */
function swapMiddle(x: Tensor4D, shape: readonly [number, number, number, number]): Tensor4D {
  const seen = reshape<Rank.R4>(x, [...shape]);
  const swapped: Tensor4D = transpose(seen, [0, 2, 1, 3]);
  seen.dispose();
  x.dispose();
  return swapped;
}
