import { bytesOf } from '@localgrad/core';
import { currentKernels } from '@localgrad/kernels';
import { asMaps, asRows } from '../blocks/dense.js';
import type { LossFunction } from './loss-function.js';

/** Mean cross-entropy of a softmax over the channels with the labels. */
export const softmaxCrossEntropy: LossFunction = {
  name: 'softmaxCrossEntropy',
  classifies: true,
  evaluate(output, targets, weight) {
    const logits = asRows(output);
    const { loss, gradient } = currentKernels().softmaxCrossEntropy(logits, targets.labels, weight);
    logits.dispose();
    const cotangent = asMaps(gradient);
    gradient.dispose();
    return { loss, cotangent };
  },
  peakBytes: (shape, batchSize) => bytesOf(shape, batchSize) + 4,
};
