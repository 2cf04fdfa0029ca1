import { bytesOf, formatShape, LocalgradError, sameShape, type Targets } from '@localgrad/core';
import {
  abs,
  add,
  exp,
  log1p,
  maximum,
  mean,
  mul,
  neg,
  oneHot,
  relu,
  reshape,
  type Scalar,
  sigmoid,
  square,
  sub,
  type Tensor4D,
  tidy,
} from '@tensorflow/tfjs';
import type { LossFunction } from './loss-function.js';

/** PyTorch's BCELoss clamps both logarithms from below. */
const lowestLogarithm = -100;

/**
 * Mean binary cross-entropy between sigmoid(output) and `targets.images`, from logits.
 *
 * As in PyTorch's BCELoss no logarithm counts below −100; the gradient is the unclamped σ(z) − t.
 */
export const binaryCrossEntropy: LossFunction = {
  name: 'binaryCrossEntropy',
  classifies: false,
  evaluate: (output, targets, weight) => {
    const wanted = imagesOf(targets, output, 'binaryCrossEntropy');
    return tidy(() => {
      // log σ(z) = −(relu(−z) + log(1 + e^−|z|)), stable for both signs.
      const tail = log1p(exp(neg(abs(output))));
      const logOn = maximum(neg(add(relu(neg(output)), tail)), lowestLogarithm);
      const logOff = maximum(neg(add(relu(output), tail)), lowestLogarithm);
      const loss = neg(mean(add(mul(wanted, logOn), mul(sub(1, wanted), logOff)))) as Scalar;
      const cotangent = mul<Tensor4D>(sub(sigmoid(output), wanted), weight / output.size);
      return { loss, cotangent };
    });
  },
  peakBytes: (shape, batchSize) => 13 * bytesOf(shape, batchSize),
};

/** Mean squared error against `targets.images`, or against one-hot labels (output [batch, 1, 1, classes]). */
export function meanSquaredError(target: 'images' | 'labels'): LossFunction {
  return {
    name: 'meanSquaredError',
    classifies: target === 'labels',
    evaluate: (output, targets, weight) =>
      tidy(() => {
        const wanted =
          target === 'images'
            ? imagesOf(targets, output, 'meanSquaredError')
            : (reshape(oneHot(targets.labels, output.shape[3]), output.shape) as Tensor4D);
        const difference = sub<Tensor4D>(output, wanted);
        return {
          loss: mean(square(difference)) as Scalar,
          cotangent: mul<Tensor4D>(difference, (2 * weight) / output.size),
        };
      }),
    peakBytes: (shape, batchSize) => 4 * bytesOf(shape, batchSize),
  };
}

function imagesOf({ images }: Targets, output: Tensor4D, loss: string): Tensor4D {
  if (images === undefined) {
    throw new LocalgradError('misuse', `${loss}: the batch has no images in [0, 1] to compare with.`, { loss });
  }
  if (!sameShape(images.shape, output.shape)) {
    throw new LocalgradError(
      'shape-mismatch',
      `${loss}: output ${formatShape(output.shape)} does not fit images ${formatShape(images.shape)}.`,
      { loss, output: output.shape, images: images.shape },
    );
  }
  return images;
}
