import * as tf from '@tensorflow/tfjs';

/** Added to the norms of rows before dividing by them. */
export const smallestNorm = 1e-8;

/** Rows without their mean, divided by their norm, with the norms for the gradient. */
export interface UnitRows {
  /** [batch, features] */
  readonly rows: tf.Tensor2D;
  /** Before the division, [batch, 1]. */
  readonly norms: tf.Tensor2D;
}

export function unitRows(rows: tf.Tensor2D): UnitRows {
  return tf.tidy(() => {
    const centered = tf.sub<tf.Tensor2D>(rows, tf.mean(rows, 1, true));
    const norms = tf.tidy(() => tf.sqrt(tf.sum<tf.Tensor2D>(tf.square(centered), 1, true)));
    return { rows: tf.div<tf.Tensor2D>(centered, tf.add(norms, smallestNorm)), norms };
  });
}

/** The gradient with respect to the rows, from that with respect to the unit rows. A constant row has slope 1e8. */
export function pullBackUnitRows(gradient: tf.Tensor2D, { rows, norms }: UnitRows): tf.Tensor2D {
  return tf.tidy(() => {
    const divisor = tf.add(norms, smallestNorm);
    const along = tf.tidy(() => {
      // Unit rows of norm 0 are 0, and so is this product.
      const ratio = tf.div(divisor, tf.where(tf.greater(norms, 0), norms, tf.onesLike(norms)));
      return tf.mul(tf.sum(tf.mul(gradient, rows), 1, true), ratio);
    });
    const perpendicular = tf.tidy(() => tf.div(tf.sub(gradient, tf.mul(rows, along)), divisor));
    return tf.sub<tf.Tensor2D>(perpendicular, tf.mean(perpendicular, 1, true));
  });
}
