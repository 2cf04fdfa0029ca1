import * as tf from '@tensorflow/tfjs';
import type { PoolingGeometry, Shape4 } from '../training-kernels.js';
import { outputSize, spreadTap, type Tap, tapReader, tapsOf } from './taps.js';

// Composed tap by tap, for any backend: stock pooling ignores NaN on some backends, and its gradients differ for ties and for
// windows without a positive value.

export function maxPool(x: tf.Tensor4D, geometry: PoolingGeometry): tf.Tensor4D {
  return tf.tidy(() => largest(x, geometry).value);
}

export function maxPoolGradient(dy: tf.Tensor4D, x: tf.Tensor4D, geometry: PoolingGeometry): tf.Tensor4D {
  return tf.tidy(() => {
    const { tapIndex } = largest(x, geometry);
    const parts = tapsOf(geometry).map((tap, index) => {
      // Not a product with a mask: 0·∞ is not 0.
      const share = tf.where(tf.equal(tapIndex, index), dy, tf.zerosLike(dy)) as tf.Tensor4D;
      return spreadTap(share, tap, geometry, x.shape);
    });
    return tf.addN(parts);
  });
}

/** The largest value of each window, and the index of its tap. */
function largest(x: tf.Tensor4D, geometry: PoolingGeometry): { value: tf.Tensor4D; tapIndex: tf.Tensor4D } {
  const read = tapReader(x, geometry, Number.NEGATIVE_INFINITY);
  const taps = tapsOf(geometry);
  let value = read({ row: 0, column: 0 });
  let tapIndex = tf.zerosLike(value);
  for (const [index, tap] of taps.entries()) {
    const candidate = read(tap);
    const isLarger = tf.logicalOr(tf.greater(candidate, value), tf.isNaN(candidate));
    const takes = tf.logicalOr(isLarger, isFirstTap(tap, geometry, x.shape));
    value = tf.where(takes, candidate, value);
    tapIndex = tf.where(takes, tf.fill(tapIndex.shape, index), tapIndex);
  }
  return { value, tapIndex };
}

/** For each window, whether the tap is its first one on the map; that one counts even if all values are −∞. */
function isFirstTap({ row, column }: Tap, geometry: PoolingGeometry, [, height, width]: Shape4): tf.Tensor4D {
  const { stride, padding } = geometry;
  const [outHeight, outWidth] = outputSize(geometry, height, width);
  const rows = Array.from({ length: outHeight }, (_, at) => Math.max(0, padding.top - at * stride[0]) === row);
  const columns = Array.from({ length: outWidth }, (_, at) => Math.max(0, padding.left - at * stride[1]) === column);
  const values = rows.flatMap((isRow) => columns.map((isColumn) => isRow && isColumn));
  return tf.tensor4d(values, [1, outHeight, outWidth, 1], 'bool');
}

export function averagePool(x: tf.Tensor4D, geometry: PoolingGeometry): tf.Tensor4D {
  return tf.tidy(() => {
    const read = tapReader(x, geometry, 0);
    let sum: tf.Tensor4D | undefined;
    for (const tap of tapsOf(geometry)) sum = sum === undefined ? read(tap) : tf.add<tf.Tensor4D>(sum, read(tap));
    return tf.div<tf.Tensor4D>(sum ?? x, cellCounts(geometry, x.shape));
  });
}

export function averagePoolGradient(dy: tf.Tensor4D, inputShape: Shape4, geometry: PoolingGeometry): tf.Tensor4D {
  return tf.tidy(() => {
    const share = tf.div<tf.Tensor4D>(dy, cellCounts(geometry, inputShape));
    return tf.addN(tapsOf(geometry).map((tap) => spreadTap(share, tap, geometry, inputShape)));
  });
}

/** Number of cells of each window on the map, [1, outHeight, outWidth, 1]. */
function cellCounts(geometry: PoolingGeometry, [, height, width]: Shape4): tf.Tensor4D {
  const { window, stride, padding } = geometry;
  const [outHeight, outWidth] = outputSize(geometry, height, width);
  const cells = (size: number, out: number, extent: number, step: number, before: number) =>
    Array.from({ length: out }, (_, at) => {
      const start = at * step - before;
      return Math.min(size, start + extent) - Math.max(0, start);
    });
  const rows = cells(height, outHeight, window[0], stride[0], padding.top);
  const columns = cells(width, outWidth, window[1], stride[1], padding.left);
  const counts = rows.flatMap((row) => columns.map((column) => row * column));
  return tf.tensor4d(counts, [1, outHeight, outWidth, 1]);
}
