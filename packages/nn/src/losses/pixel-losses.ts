import { bytesOf, moduleInputTarget, type Targets } from '@localgrad/core';
import { currentKernels } from '@localgrad/kernels';
import { mean, mul, oneHot, reshape, type Scalar, square, sub, type Tensor4D, tidy } from '@tensorflow/tfjs';
import { asRows } from '../blocks/dense.js';
import { classificationMetrics } from './classification-metrics.js';
import type { LossFunction } from './loss-function.js';
import { requireTarget, targetLike } from './targets.js';

/**
 * Mean binary cross-entropy between sigmoid(output) and target `images`, from logits.
 *
 * As in PyTorch's BCELoss, logarithms are clamped at −100; the gradient is the unclamped σ(z) − t.
 */
export const binaryCrossEntropy: LossFunction = {
  name: 'binaryCrossEntropy',
  reads: ['images'],
  predicts: false,
  evaluate: (output, targets, weight) => {
    const wanted = targetLike(output, targets, 'images', 'binaryCrossEntropy');
    const { loss, gradient } = currentKernels().binaryCrossEntropy(output, wanted, weight);
    wanted.dispose();
    return { loss, cotangent: gradient };
  },
  peakBytes: (shape, batchSize) => 4 * bytesOf(shape, batchSize),
};

/**
 * Mean squared error against the named target: of the output's shape, or [batch, n] for outputs of one pixel. Target
 * `labels` is converted to one-hot rows; targets `images` and `moduleInput` are reconstructions.
 */
export function meanSquaredError(target = 'values'): LossFunction {
  const isClassification = target === 'labels';
  return {
    name: 'meanSquaredError',
    reads: [target],
    predicts: target !== 'images' && target !== moduleInputTarget,
    evaluate: (output, targets, weight) =>
      tidy(() => {
        const wanted = isClassification
          ? reshape(oneHot(labelsOf(targets), output.shape[3]), output.shape)
          : targetLike(output, targets, target, 'meanSquaredError');
        const difference = sub<Tensor4D>(output, wanted);
        return {
          loss: mean<Scalar>(square(difference)),
          cotangent: mul<Tensor4D>(difference, (2 * weight) / output.size),
        };
      }),
    ...(isClassification ? { metrics: (output, targets) => oneHotMetrics(output, targets) } : {}),
    peakBytes: (shape, batchSize) => (isClassification ? 4 : 3) * bytesOf(shape, batchSize),
  };
}

function oneHotMetrics(output: Tensor4D, targets: Targets): ReadonlyMap<string, Scalar> {
  const scores = asRows(output);
  const metrics = classificationMetrics(scores, labelsOf(targets));
  scores.dispose();
  return metrics;
}

function labelsOf(targets: Targets) {
  return requireTarget(targets, 'labels', "loss 'meanSquaredError'");
}
