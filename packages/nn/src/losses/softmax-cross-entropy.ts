import { bytesOf, formatShape, LocalgradError, type Shape3, sameShape, type Targets } from '@localgrad/core';
import { currentKernels } from '@localgrad/kernels';
import { reshape, type Tensor1D, type Tensor2D, type Tensor4D } from '@tensorflow/tfjs';
import { asMaps, asRows } from '../blocks/dense.js';
import { classificationMetrics } from './classification-metrics.js';
import type { LossFunction } from './loss-function.js';
import { checkClasses, requireTarget } from './targets.js';

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

/**
 * Mean cross-entropy over samples and pixels, for dense prediction.
 *
 * @param target name of the target with the class of each pixel, int32, shape [batch, height, width]; default `masks`
 */
export function pixelCrossEntropy(target = 'masks'): LossFunction {
  return {
    name: 'pixelCrossEntropy',
    reads: [target],
    predicts: true,
    evaluate(output, targets, weight) {
      const [logits, labels] = pixelRows(output, targets, target);
      const { loss, gradient } = currentKernels().softmaxCrossEntropy(logits, labels, weight);
      const cotangent: Tensor4D = reshape(gradient, output.shape);
      for (const tensor of [logits, labels, gradient]) tensor.dispose();
      return { loss, cotangent };
    },
    metrics(output, targets) {
      const [logits, labels] = pixelRows(output, targets, target);
      const metrics = classificationMetrics(logits, labels);
      for (const tensor of [logits, labels]) tensor.dispose();
      return metrics;
    },
    peakBytes,
  };
}

/** One row per pixel: scores [pixels, classes] and classes [pixels]. */
function pixelRows(output: Tensor4D, targets: Targets, name: string): [scores: Tensor2D, labels: Tensor1D] {
  const reader = "loss 'pixelCrossEntropy'";
  const masks = requireTarget(targets, name, reader);
  checkClasses(name, masks, reader, 3);
  const [batch, height, width, classes] = output.shape;
  if (!sameShape(masks.shape, [batch, height, width])) {
    throw new LocalgradError(
      'shape-mismatch',
      `Loss 'pixelCrossEntropy': target '${name}' has shape ${formatShape(masks.shape)}; output ${formatShape(output.shape)} needs ${formatShape([batch, height, width])}.`,
      { target: name, found: masks.shape, output: output.shape },
    );
  }
  const pixels = batch * height * width;
  return [reshape(output, [pixels, classes]), reshape(masks, [pixels])];
}

function peakBytes(shape: Shape3, batchSize: number): number {
  return bytesOf(shape, batchSize) + 4;
}
