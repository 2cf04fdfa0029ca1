import * as tf from '@tensorflow/tfjs';
import { smallestNorm } from './unit-rows.js';

/**
 * Similarities of the samples' classes, [batch, batch]: those of centered one-hot vectors, which are about 1 for equal
 * classes and −1/(classes − 1) for different ones.
 */
export function classSimilarities(labels: tf.Tensor1D, classes: number): tf.Tensor2D {
  const squaredNorm = 1 - 1 / classes;
  const scale = (Math.sqrt(squaredNorm) + smallestNorm) ** 2;
  const equal = squaredNorm / scale;
  // The limit matters for a single class, whose centered one-hot vectors are 0.
  const different = Math.max(-1, -1 / (classes * scale));
  return tf.tidy(() => {
    const [batch] = labels.shape;
    const isSame = tf.equal(tf.reshape(labels, [batch, 1]), tf.reshape(labels, [1, batch]));
    return tf.add<tf.Tensor2D>(tf.mul(isSame, equal - different), different);
  });
}
