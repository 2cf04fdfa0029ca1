import { evaluationMode, type Shape3, sizeOf } from '@localgrad/core';
import { globalAveragePool } from '@localgrad/nn/blocks';
import * as tf from '@tensorflow/tfjs';

/** One row per sample, with the gradient of the way there. */
export interface DescribedMaps {
  readonly rows: tf.Tensor2D;
  /** The gradient with respect to the feature maps, from that with respect to the rows. */
  readonly pullBack: (gradient: tf.Tensor2D) => tf.Tensor4D;
}

/** Whether a feature map is described by a standard deviation per channel; others are flattened. */
export function isDescribedByDeviation([height, , channels]: Shape3): boolean {
  return channels > 3 && height > 1;
}

/** Rows for feature maps: the standard deviation of each channel over the pixels, or all values. Runs in a tidy. */
export function describeMaps(maps: tf.Tensor4D): DescribedMaps {
  const [batch, height, width, channels] = maps.shape;
  const shape: Shape3 = [height, width, channels];
  if (!isDescribedByDeviation(shape)) {
    return {
      rows: tf.reshape(maps, [batch, sizeOf(shape)]),
      pullBack: (gradient) => tf.reshape(gradient, maps.shape),
    };
  }
  const degreesOfFreedom = height * width - 1;
  const centered = tf.tidy(() => tf.sub<tf.Tensor4D>(maps, spatialMean(maps)));
  const deviations = tf.tidy(() => {
    const variances = tf.mul<tf.Tensor4D>(spatialMean(tf.square(centered)), (height * width) / degreesOfFreedom);
    return tf.sqrt(variances);
  });
  return {
    rows: tf.reshape(deviations, [batch, channels]),
    pullBack: (gradient) =>
      tf.tidy(() => {
        const isSpread = tf.greater(deviations, 0);
        // A channel that is constant over the pixels gets no gradient, as in PyTorch.
        const slopes = tf.div(tf.reshape(gradient, deviations.shape), tf.mul(deviations, degreesOfFreedom));
        return tf.mul<tf.Tensor4D>(centered, tf.where(isSpread, slopes, tf.zerosLike(slopes)));
      }),
  };
}

/** Mean over height and width, [batch, 1, 1, channels]. */
function spatialMean(maps: tf.Tensor4D): tf.Tensor4D {
  const [, height, width, channels] = maps.shape;
  return globalAveragePool('mean', [height, width, channels]).forward(maps, evaluationMode).output;
}
