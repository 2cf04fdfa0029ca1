import * as tf from '@tensorflow/tfjs';

/** Batch norm in training mode from differentiable ops. */
export function referenceBatchNorm(x: tf.Tensor4D, scale: tf.Tensor, shift: tf.Tensor): tf.Tensor4D {
  const mean = tf.mean(x, [0, 1, 2], true);
  const centered = tf.sub(x, mean);
  const variance = tf.mean(tf.square(centered), [0, 1, 2], true);
  return tf.add(tf.mul(tf.mul(centered, tf.rsqrt(tf.add(variance, 1e-5))), scale), shift);
}

export function referenceConvolution(x: tf.Tensor4D, filter: tf.Tensor, stride: number, padding: number): tf.Tensor4D {
  return tf.conv2d(x, filter as tf.Tensor4D, stride, padding);
}

/** A cursor over a list of parameter values, in the order of the blocks' parameters. */
export function taker(values: readonly tf.Tensor[]): () => tf.Tensor {
  let index = 0;
  return () => values[index++] as tf.Tensor;
}
