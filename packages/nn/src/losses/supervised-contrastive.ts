import { rejectUnknownKeys, requireOption } from '@localgrad/core';
import * as tf from '@tensorflow/tfjs';
import { asMaps, asRows } from '../blocks/dense.js';
import type { LossFunction } from './loss-function.js';
import { requireTarget } from './targets.js';

/** Options of `supervisedContrastive`. */
export interface SupervisedContrastiveOptions {
  /** τ; default 0.07. */
  readonly temperature?: number;
  /** The loss is scaled by temperature / baseTemperature; default 0.07. */
  readonly baseTemperature?: number;
  /** Normalize every row to unit length first. Default true. */
  readonly normalize?: boolean;
}

const smallestNorm = 1e-12;

/**
 * Supervised contrastive loss (Khosla et al. 2020) with one view per sample: each sample is attracted to samples of its
 * class and repelled from all others. Anchors without positives contribute 0 to the mean.
 *
 * Reads [batch, 1, 1, features]. Needs O(batch²) memory.
 */
export function supervisedContrastive(options: SupervisedContrastiveOptions = {}): LossFunction {
  rejectUnknownKeys('supervisedContrastive', options, ['temperature', 'baseTemperature', 'normalize']);
  const { temperature = 0.07, baseTemperature = 0.07, normalize = true } = options;
  requireOption(temperature > 0, 'supervisedContrastive', 'temperature', temperature, 'numbers > 0');
  requireOption(baseTemperature > 0, 'supervisedContrastive', 'baseTemperature', baseTemperature, 'numbers > 0');
  return {
    name: 'supervisedContrastive',
    reads: ['labels'],
    predicts: false,
    evaluate: (output, targets, weight) =>
      tf.tidy(() => {
        const labels = requireTarget(targets, 'labels', "loss 'supervisedContrastive'");
        const rows = asRows(output);
        const norms = tf.maximum(tf.norm(rows, 2, 1, true), smallestNorm);
        const z = normalize ? tf.div<tf.Tensor2D>(rows, norms) : rows;
        const { loss, similarityGradient } = contrast(z, labels, temperature, temperature / baseTemperature);
        // s = z·zᵀ/τ contains z twice, hence the symmetric sum.
        const both = tf.tidy(() => tf.add<tf.Tensor2D>(similarityGradient, tf.transpose(similarityGradient)));
        let gradient = tf.mul<tf.Tensor2D>(tf.matMul(both, z), weight / temperature);
        if (normalize) {
          const along = tf.sum(tf.mul(gradient, z), 1, true);
          const scaled = tf.greater(norms, smallestNorm);
          gradient = tf.div(tf.sub(gradient, tf.mul(tf.mul(z, along), tf.cast(scaled, 'float32'))), norms);
        }
        return { loss, cotangent: asMaps(gradient) };
      }),
    peakBytes: ([, , features], batchSize) => {
      const square = batchSize * batchSize;
      const pullBack = 3 * square + (normalize ? 8 : 2) * batchSize * features;
      return 4 * (Math.max(9 * square, pullBack) + 3 * batchSize);
    },
  };
}

/** The loss and its gradient with respect to the similarities s, both scaled by `factor`. */
function contrast(z: tf.Tensor2D, labels: tf.Tensor1D, temperature: number, factor: number) {
  const batch = z.shape[0];
  const others = tf.sub<tf.Tensor2D>(1, tf.eye(batch));
  const { share, anchors } = tf.tidy(() => {
    const same = tf.equal(tf.reshape(labels, [batch, 1]), tf.reshape(labels, [1, batch]));
    const positive = tf.mul<tf.Tensor2D>(tf.cast(same, 'float32'), others);
    const count = tf.sum(positive, 1, true);
    // In rows with positives, the fractions sum to one.
    return { share: tf.div<tf.Tensor2D>(positive, tf.maximum(count, 1)), anchors: tf.minimum(count, 1) };
  });
  const shifted = tf.tidy(() => {
    const raw = tf.div<tf.Tensor2D>(tf.matMul(z, z, false, true), temperature);
    // Relative to the anchor's similarity to itself, which does not count, the powers of all others may be 0.
    const counted = tf.where<tf.Tensor2D>(tf.greater(others, 0), raw, tf.min(raw, 1, true));
    return tf.sub<tf.Tensor2D>(counted, tf.max(counted, 1, true));
  });
  const weights = tf.tidy(() => tf.mul<tf.Tensor2D>(tf.exp(shifted), others));
  // A row without positives counts for nothing, but its total is 0 where it has no others at all: 0·log 0 is NaN.
  const total = tf.tidy(() => tf.where(tf.greater(anchors, 0), tf.sum(weights, 1, true), tf.onesLike(anchors)));
  const scale = factor / batch;
  const loss = tf.tidy(() => tf.mul<tf.Scalar>(tf.sum(tf.mul(share, tf.sub(shifted, tf.log(total)))), -scale));
  const similarityGradient = tf.tidy(() => {
    const probability = tf.mul(tf.div(weights, total), anchors);
    return tf.mul<tf.Tensor2D>(tf.sub(probability, share), scale);
  });
  tf.dispose([others, share, shifted, weights]);
  return { loss, similarityGradient };
}
