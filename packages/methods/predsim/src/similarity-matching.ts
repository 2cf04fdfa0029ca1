import { type LossFunction, requireTarget } from '@localgrad/nn/losses';
import * as tf from '@tensorflow/tfjs';
import { classSimilarities } from './class-similarities.js';
import { describeMaps, isDescribedByDeviation } from './map-deviations.js';
import { pullBackUnitRows, unitRows } from './unit-rows.js';

/**
 * Similarity matching (docs/methods/predsim.md §1): mean squared difference between the similarities of the samples'
 * features and those of their classes, over all pairs of the batch. Reads feature maps or vectors.
 *
 * Needs O(batch²) memory. Micro-batches change the loss, because every sample is compared with every other one.
 */
export function similarityMatching(classes: number): LossFunction {
  return {
    name: 'similarityMatching',
    reads: ['labels'],
    predicts: false,
    evaluate: (output, targets, weight) => {
      const labels = requireTarget(targets, 'labels', "loss 'similarityMatching'");
      return tf.tidy(() => {
        const { rows, pullBack } = describeMaps(output);
        const { loss, gradient } = match(rows, labels, classes, weight);
        return { loss, cotangent: pullBack(gradient) };
      });
    },
    peakBytes: (shape, batchSize) => {
      const [height, width, channels] = shape;
      const isDescribed = isDescribedByDeviation(shape);
      const features = batchSize * (isDescribed ? channels : height * width * channels);
      const matching = matchingValues(features, batchSize);
      if (!isDescribed) return 4 * matching;
      // The centered maps and the deviations stay for their gradient.
      const maps = batchSize * height * width * channels;
      return 4 * Math.max(2 * maps + 6.25 * features + 1, maps + features + matching);
    },
  };
}

/** Largest number of values beside the rows at one time: unit rows, similarities, their gradient, or that of the rows. */
function matchingValues(features: number, batchSize: number): number {
  const pairs = batchSize * batchSize;
  return Math.max(
    features + batchSize + 3 * pairs,
    2 * features + batchSize + 2 * pairs + 1,
    3 * features + 7.25 * batchSize + 1,
    5 * features + 3 * batchSize + 1,
  );
}

function match(rows: tf.Tensor2D, labels: tf.Tensor1D, classes: number, weight: number) {
  return tf.tidy(() => {
    const unit = unitRows(rows);
    const { loss, gradient } = tf.tidy(() => {
      const differences = tf.tidy(() => {
        const wanted = classSimilarities(labels, classes);
        return tf.sub<tf.Tensor2D>(tf.matMul(unit.rows, unit.rows, false, true), wanted);
      });
      const loss = tf.tidy(() => tf.mean<tf.Scalar>(tf.square(differences)));
      // Each row occurs twice in the similarities Z·Zᵀ, hence 4 instead of 2.
      const pairs = tf.mul<tf.Tensor2D>(differences, (4 * weight) / differences.size);
      return { loss, gradient: tf.matMul<tf.Tensor2D>(pairs, unit.rows) };
    });
    return { loss, gradient: pullBackUnitRows(gradient, unit) };
  });
}
