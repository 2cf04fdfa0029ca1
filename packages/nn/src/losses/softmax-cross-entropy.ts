import { bytesOf, type Shape3 } from '@localgrad/core';
import { currentKernels } from '@localgrad/kernels';
import { asMaps, asRows } from '../blocks/dense.js';
import { classificationMetrics } from './classification-metrics.js';
import type { LossFunction } from './loss-function.js';
import { requireTarget } from './targets.js';

/** Mean cross-entropy of a softmax over the channels with target `labels`. */
export const softmaxCrossEntropy: LossFunction = {
  name: 'softmaxCrossEntropy',
  reads: ['labels'],
  predicts: true,
  evaluate(output, targets, weight) {
    const labels = requireTarget(targets, 'labels', "loss 'softmaxCrossEntropy'");
    const logits = asRows(output);
    const { loss, gradient } = currentKernels().softmaxCrossEntropy(logits, labels, weight);
    logits.dispose();
    const cotangent = asMaps(gradient);
    gradient.dispose();
    return { loss, cotangent };
  },
  metrics(output, targets) {
    const labels = requireTarget(targets, 'labels', "loss 'softmaxCrossEntropy'");
    const logits = asRows(output);
    const metrics = classificationMetrics(logits, labels);
    logits.dispose();
    return metrics;
  },
  peakBytes,
};

function peakBytes(shape: Shape3, batchSize: number): number {
  return bytesOf(shape, batchSize) + 4;
}
