import * as tf from '@tensorflow/tfjs';

/** As PyTorch's BCELoss. */
const lowestLogarithm = -100;

export function binaryCrossEntropy(
  logits: tf.Tensor4D,
  targets: tf.Tensor4D,
  weight: number,
): { loss: tf.Scalar; gradient: tf.Tensor4D } {
  // −log σ(z) = softplus(−z), −log(1 − σ(z)) = softplus(z); a separate tidy for each limits the number of live temporaries.
  const bounded = (logit: tf.Tensor4D) => tf.minimum(tf.softplus(logit), -lowestLogarithm);
  const on = tf.tidy(() => tf.sum(tf.mul(targets, bounded(tf.neg(logits)))));
  const off = tf.tidy(() => tf.sum(tf.mul(tf.sub(1, targets), bounded(logits))));
  const loss = tf.tidy(() => tf.div<tf.Scalar>(tf.add(on, off), logits.size));
  tf.dispose([on, off]);
  const difference = tf.tidy(() => tf.sub(tf.sigmoid(logits), targets));
  const gradient = tf.mul<tf.Tensor4D>(difference, weight / logits.size);
  difference.dispose();
  return { loss, gradient };
}
