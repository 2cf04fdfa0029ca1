import { bytesOf, outputGradientTarget } from '@localgrad/core';
import { mul, type Scalar, square, sub, sum, type Tensor4D, tidy } from '@tensorflow/tfjs';
import type { LossFunction } from './loss-function.js';
import { targetLike } from './targets.js';

/**
 * Squared distance between the output and target `outputGradient`, summed over the values of a sample and averaged over the batch
 * (Jaderberg et al., ICML 2017, §2.1; the code of DGL's comparison).
 */
export const gradientError: LossFunction = {
  name: 'gradientError',
  reads: [outputGradientTarget],
  predicts: false,
  evaluate: (output, targets, weight) => {
    const wanted = targetLike(output, targets, outputGradientTarget, 'gradientError');
    const difference = sub<Tensor4D>(output, wanted);
    wanted.dispose();
    const batch = output.shape[0];
    const loss = tidy(() => mul<Scalar>(sum<Scalar>(square(difference)), 1 / batch));
    const cotangent = mul<Tensor4D>(difference, (2 * weight) / batch);
    difference.dispose();
    return { loss, cotangent };
  },
  peakBytes: (shape, batchSize) => 2 * bytesOf(shape, batchSize) + 8,
};
