import { bytesOf, type Shape3 } from '@localgrad/core';
import { currentKernels, type TrainingKernels } from '@localgrad/kernels';
import { add, dispose, mul, oneHot, type Scalar, sub, sum, type Tensor1D, type Tensor2D, tidy } from '@tensorflow/tfjs';
import { asMaps, asRows } from '../blocks/dense.js';
import { classificationMetrics } from './classification-metrics.js';
import type { LossFunction } from './loss-function.js';
import { requireClasses, requireTarget } from './targets.js';

/** Mean cross-entropy of a softmax over the channels with target `labels`, which may be smoothed. */
export const softmaxCrossEntropy: LossFunction = {
  name: 'softmaxCrossEntropy',
  reads: ['labels'],
  predicts: true,
  evaluate(output, targets, weight, { labelSmoothing = 0 } = {}) {
    requireClasses(output.shape[3], 'softmaxCrossEntropy');
    const labels = requireTarget(targets, 'labels', "loss 'softmaxCrossEntropy'");
    const logits = asRows(output);
    const hard = currentKernels().softmaxCrossEntropy(logits, labels, weight);
    const { loss, gradient } = labelSmoothing === 0 ? hard : smoothed(hard, { logits, labels, weight, labelSmoothing });
    logits.dispose();
    const cotangent = asMaps(gradient);
    gradient.dispose();
    return { loss, cotangent };
  },
  metrics(output, targets) {
    requireClasses(output.shape[3], 'softmaxCrossEntropy');
    const labels = requireTarget(targets, 'labels', "loss 'softmaxCrossEntropy'");
    const logits = asRows(output);
    const metrics = classificationMetrics(logits, labels);
    logits.dispose();
    return metrics;
  },
  peakBytes,
};

interface Smoothing {
  readonly logits: Tensor2D;
  readonly labels: Tensor1D;
  readonly weight: number;
  readonly labelSmoothing: number;
}

/**
 * With the share s of a label spread over C classes, the loss −Σ q log p has q = (1 − s)·y + s/C, so that it is larger by
 * s·(z_label − mean of z), and its gradient by s·(y − 1/C).
 */
function smoothed(
  hard: ReturnType<TrainingKernels['softmaxCrossEntropy']>,
  { logits, labels, weight, labelSmoothing }: Smoothing,
) {
  const [batch, classes] = logits.shape;
  const result = tidy(() => {
    const spread = sub<Tensor2D>(oneHot(labels, classes), 1 / classes);
    const share = labelSmoothing / batch;
    return {
      loss: add<Scalar>(hard.loss, mul(sum(mul(spread, logits)), share)),
      // The weight stays a factor of its own: recorded steps find it by its value.
      gradient: add<Tensor2D>(hard.gradient, mul(mul(spread, weight), share)),
    };
  });
  dispose([hard.loss, hard.gradient]);
  return result;
}

function peakBytes(shape: Shape3, batchSize: number): number {
  return bytesOf(shape, batchSize) + 4;
}
