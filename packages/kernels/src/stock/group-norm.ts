import * as tf from '@tensorflow/tfjs';
import type {
  GroupNormGradient,
  GroupNormGradientRequest,
  GroupNormParameters,
  GroupStatistics,
} from '../training-kernels.js';

export function groupNorm(
  x: tf.Tensor4D,
  { groups, epsilon, scale, shift }: GroupNormParameters,
): GroupStatistics & { readonly output: tf.Tensor4D } {
  return tf.tidy(() => {
    const grouped = byGroups(x, groups);
    const { mean, variance } = tf.moments(grouped, [1, 3], true);
    const normalized = tf.mul(tf.sub(grouped, mean), tf.rsqrt(tf.add(variance, epsilon)));
    const output = tf.add<tf.Tensor4D>(tf.mul(tf.reshape(normalized, x.shape), scale), shift);
    return { output, mean: byImage(mean, groups), variance: byImage(variance, groups) };
  });
}

export function groupNormGradient(request: GroupNormGradientRequest): GroupNormGradient {
  const { dy, x, statistics, parameters } = request;
  const { groups, epsilon, scale } = parameters;
  const result = tf.tidy(() => {
    const [batch] = x.shape;
    const expand = (values: tf.Tensor2D) => tf.reshape(values, [batch, 1, groups, 1]);
    const inverseDeviation = tf.rsqrt(tf.add(expand(statistics.variance), epsilon));
    const normalized = tf.mul(tf.sub(byGroups(x, groups), expand(statistics.mean)), inverseDeviation);
    const dShift = tf.sum<tf.Tensor1D>(dy, [0, 1, 2]);
    const dScale = tf.sum<tf.Tensor1D>(tf.mul(dy, tf.reshape(normalized, x.shape)), [0, 1, 2]);
    const scaled = byGroups(tf.mul<tf.Tensor4D>(dy, scale), groups);
    // Mean and variance depend on x too: their two terms project out the constant and the normalized part.
    const constant = tf.mean(scaled, [1, 3], true);
    const along = tf.mul(normalized, tf.mean(tf.mul(scaled, normalized), [1, 3], true));
    const dx = tf.mul(tf.sub(tf.sub(scaled, constant), along), inverseDeviation);
    return { dx: tf.reshape(dx, x.shape) as tf.Tensor4D, dScale, dShift };
  });
  dy.dispose();
  return result;
}

/** Reshapes to [n, h·w, groups, channels per group]. */
function byGroups(x: tf.Tensor4D, groups: number): tf.Tensor4D {
  const [batch, height, width, channels] = x.shape;
  return tf.reshape(x, [batch, height * width, groups, channels / groups]);
}

function byImage(values: tf.Tensor, groups: number): tf.Tensor2D {
  return tf.reshape(values, [-1, groups]);
}
