import * as tf from '@tensorflow/tfjs';
import { bothAxes } from '../convolution-measures.js';
import type { ConvolutionGeometry, Shape4 } from '../training-kernels.js';
import { spreadTap, type Tap, tapReader, tapsOf, type Windows } from './taps.js';

// Composed tap by tap: some backends lack the gradients, or strides with symmetric padding.

export function depthwiseConv2d(x: tf.Tensor4D, filter: tf.Tensor4D, geometry: ConvolutionGeometry): tf.Tensor4D {
  return tf.tidy(() => {
    const [, , channels, multiplier] = filter.shape;
    const windows = windowsOf(filter.shape, geometry);
    const read = tapReader(x, windows, 0);
    const products = tapsOf(windows).map((tap) => {
      const seen = read(tap);
      const [batch, height, width] = seen.shape;
      const product = tf.mul(tf.reshape(seen, [-1, channels, 1]), weightsAt(filter, tap));
      return tf.reshape(product, [batch, height, width, channels * multiplier]) as tf.Tensor4D;
    });
    return tf.addN(products);
  });
}

export function depthwiseConv2dInputGradient(
  dy: tf.Tensor4D,
  filter: tf.Tensor4D,
  inputShape: Shape4,
  geometry: ConvolutionGeometry,
): tf.Tensor4D {
  return tf.tidy(() => {
    const [, , channels, multiplier] = filter.shape;
    const [batch, height, width] = dy.shape;
    const windows = windowsOf(filter.shape, geometry);
    const cotangents = tf.reshape(dy, [-1, channels, multiplier]);
    const parts = tapsOf(windows).map((tap) => {
      const share = tf.sum(tf.mul(cotangents, weightsAt(filter, tap)), 2);
      return spreadTap(tf.reshape(share, [batch, height, width, channels]), tap, windows, inputShape);
    });
    return tf.addN(parts);
  });
}

export function depthwiseConv2dFilterGradient(
  x: tf.Tensor4D,
  dy: tf.Tensor4D,
  filterShape: Shape4,
  geometry: ConvolutionGeometry,
): tf.Tensor4D {
  return tf.tidy(() => {
    const [, , channels, multiplier] = filterShape;
    const windows = windowsOf(filterShape, geometry);
    const read = tapReader(x, windows, 0);
    const cotangents = tf.reshape(dy, [-1, channels, multiplier]);
    const taps = tapsOf(windows).map((tap) => tf.sum(tf.mul(tf.reshape(read(tap), [-1, channels, 1]), cotangents), 0));
    return tf.reshape(tf.stack(taps), [...filterShape]) as tf.Tensor4D;
  });
}

function windowsOf([height, width]: Shape4, { stride, padding }: ConvolutionGeometry): Windows {
  const [vertical, horizontal] = bothAxes(padding);
  return {
    window: [height, width],
    stride: bothAxes(stride),
    padding: { top: vertical, bottom: vertical, left: horizontal, right: horizontal },
  };
}

/** The filter values of one tap, [channels, multiplier]. */
function weightsAt(filter: tf.Tensor4D, { row, column }: Tap): tf.Tensor2D {
  const [, , channels, multiplier] = filter.shape;
  return tf.reshape(tf.slice(filter, [row, column, 0, 0], [1, 1, channels, multiplier]), [channels, multiplier]);
}
