import * as tf from '@tensorflow/tfjs';
import { requireLabels } from '../require-labels.js';

export function softmaxCrossEntropy(
  logits: tf.Tensor2D,
  labels: tf.Tensor1D,
  weight: number,
): { loss: tf.Scalar; gradient: tf.Tensor2D } {
  const [batch, classes] = logits.shape;
  // On the cpu backend the values are in memory; on others, reading them would wait for the device.
  if (tf.getBackend() === 'cpu') requireLabels(labels.dataSync(), classes);
  return tf.tidy(() => {
    const oneHot = tf.cast(tf.oneHot(labels, classes), 'float32');
    const isClass = tf.greater(tf.sum(oneHot, 1, true), 0);
    const missing = tf.where(isClass, tf.zeros([batch, 1]), tf.fill([batch, 1], Number.NaN));
    const logProbabilities = tf.logSoftmax(logits);
    // Not a product with the one-hot labels: 0·∞ is not 0.
    const ofLabels = tf.where(tf.greater(oneHot, 0), logProbabilities, tf.zerosLike(logProbabilities));
    const loss = tf.div<tf.Scalar>(tf.add(tf.neg(tf.sum(ofLabels)), tf.sum(missing)), batch);
    const difference = tf.add(tf.sub(tf.exp(logProbabilities), oneHot), missing);
    return { loss, gradient: tf.mul<tf.Tensor2D>(difference, weight / batch) };
  });
}
