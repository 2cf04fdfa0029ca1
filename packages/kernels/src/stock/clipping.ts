import * as tf from '@tensorflow/tfjs';

/** As `TrainingKernels.clipAll`; needs one more tensor of the size of the largest gradient. */
export function clipAll(gradients: readonly tf.Tensor[], norm: number): tf.Tensor[] {
  if (gradients.length === 0) return [];
  const coefficient = tf.tidy(() => {
    const total = tf.sqrt(tf.sum(tf.stack(gradients.map(sumOfSquares))));
    return tf.minimum(tf.div(norm, tf.add(total, 1e-6)), 1);
  });
  const clipped = gradients.map((gradient) => {
    const result = tf.mul(gradient, coefficient);
    gradient.dispose();
    return result;
  });
  coefficient.dispose();
  return clipped;
}

/** Sums rows first, because some backends add numbers one by one, and lose digits in long sums. */
function sumOfSquares(gradient: tf.Tensor): tf.Scalar {
  return tf.tidy(() => {
    const squares = tf.square(gradient);
    return tf.sum<tf.Scalar>(squares.rank < 2 ? squares : tf.sum(squares, -1));
  });
}
