import * as tf from '@tensorflow/tfjs';

/** A tensor of reproducible normally distributed values. */
export function normal<Rank extends tf.Rank>(shape: number[], seed: number): tf.Tensor<Rank> {
  return tf.randomNormal<Rank>(shape as tf.ShapeMap[Rank], 0, 1, 'float32', seed);
}

/** Largest difference, divided by the largest expected value. */
export function relativeError(found: tf.Tensor, expected: tf.Tensor): number {
  const [values, reference] = [found.dataSync<'float32'>(), expected.dataSync<'float32'>()];
  const largest = reference.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  const worst = reference.reduce((most, value, at) => Math.max(most, Math.abs(value - (values[at] ?? Number.NaN))), 0);
  return worst / largest;
}
