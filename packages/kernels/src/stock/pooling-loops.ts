import * as tf from '@tensorflow/tfjs';
import type { PoolingGeometry, Shape4 } from '../training-kernels.js';
import { outputSize } from './taps.js';

// For the cpu backend, whose values are in memory: a loop takes a fraction of the time of composed operations.

/** Indices in the map of the cells of one window and channel, in row-major order. */
type Visit = (output: number, cells: readonly number[]) => void;

function eachWindow([batch, height, width, channels]: Shape4, geometry: PoolingGeometry, visit: Visit): void {
  const { window, stride, padding } = geometry;
  const [outHeight, outWidth] = outputSize(geometry, height, width);
  let output = 0;
  for (let n = 0; n < batch; n++) {
    for (let row = 0; row < outHeight; row++) {
      const top = row * stride[0] - padding.top;
      for (let column = 0; column < outWidth; column++) {
        const left = column * stride[1] - padding.left;
        const cells: number[] = [];
        for (let r = Math.max(0, top); r < Math.min(height, top + window[0]); r++) {
          for (let q = Math.max(0, left); q < Math.min(width, left + window[1]); q++) {
            cells.push(((n * height + r) * width + q) * channels);
          }
        }
        for (let channel = 0; channel < channels; channel++) {
          visit(output++, cells);
          for (let at = 0; at < cells.length; at++) cells[at] = (cells[at] as number) + 1;
        }
      }
    }
  }
}

function outputShape(
  [batch, height, width, channels]: Shape4,
  geometry: PoolingGeometry,
): [number, number, number, number] {
  return [batch, ...outputSize(geometry, height, width), channels];
}

/** Index of the first largest value, or of the last NaN; undefined for a window in the padding. */
function largestOf(values: Float32Array, cells: readonly number[]): number | undefined {
  let taken = cells[0];
  for (const cell of cells) {
    const value = values[cell] as number;
    if (value > (values[taken as number] as number) || Number.isNaN(value)) taken = cell;
  }
  return taken;
}

export function maxPool(x: tf.Tensor4D, geometry: PoolingGeometry): tf.Tensor4D {
  const shape = outputShape(x.shape, geometry);
  const values = x.dataSync<'float32'>();
  const result = new Float32Array(tf.util.sizeFromShape(shape));
  eachWindow(x.shape, geometry, (output, cells) => {
    result[output] = values[largestOf(values, cells) ?? -1] ?? Number.NEGATIVE_INFINITY;
  });
  return tf.tensor4d(result, shape);
}

export function maxPoolGradient(dy: tf.Tensor4D, x: tf.Tensor4D, geometry: PoolingGeometry): tf.Tensor4D {
  const [values, cotangent] = [x.dataSync<'float32'>(), dy.dataSync<'float32'>()];
  const result = new Float32Array(x.size);
  eachWindow(x.shape, geometry, (output, cells) => {
    const taken = largestOf(values, cells);
    if (taken !== undefined) result[taken] = (result[taken] as number) + (cotangent[output] as number);
  });
  return tf.tensor4d(result, x.shape);
}

export function averagePool(x: tf.Tensor4D, geometry: PoolingGeometry): tf.Tensor4D {
  const shape = outputShape(x.shape, geometry);
  const values = x.dataSync<'float32'>();
  const result = new Float32Array(tf.util.sizeFromShape(shape));
  eachWindow(x.shape, geometry, (output, cells) => {
    let sum = 0;
    for (const cell of cells) sum += values[cell] as number;
    result[output] = sum / cells.length;
  });
  return tf.tensor4d(result, shape);
}

export function averagePoolGradient(dy: tf.Tensor4D, inputShape: Shape4, geometry: PoolingGeometry): tf.Tensor4D {
  const cotangent = dy.dataSync<'float32'>();
  const result = new Float32Array(tf.util.sizeFromShape([...inputShape]));
  eachWindow(inputShape, geometry, (output, cells) => {
    const share = (cotangent[output] as number) / cells.length;
    for (const cell of cells) result[cell] = (result[cell] as number) + share;
  });
  return tf.tensor4d(result, [...inputShape]);
}
