import { bytesOf, formatShape, LocalgradError, sameShape, type Targets } from '@localgrad/core';
import {
  add,
  dispose,
  div,
  mean,
  minimum,
  mul,
  neg,
  oneHot,
  reshape,
  type Scalar,
  sigmoid,
  softplus,
  square,
  sub,
  sum,
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
  readsImages: true,
  evaluate: (output, targets, weight) => {
    const wanted = imagesOf(targets, output, 'binaryCrossEntropy');
    // −log σ(z) = softplus(−z), −log(1 − σ(z)) = softplus(z); one tidy each keeps few temporaries alive.
    const bounded = (logit: Tensor4D) => minimum(softplus(logit), -lowestLogarithm);
    const on = tidy(() => sum(mul(wanted, bounded(neg(output)))));
    const off = tidy(() => sum(mul(sub(1, wanted), bounded(output))));
    const loss = tidy(() => div<Scalar>(add(on, off), output.size));
    dispose([on, off]);
    const difference = tidy(() => sub(sigmoid(output), wanted));
    const cotangent = mul<Tensor4D>(difference, weight / output.size);
    difference.dispose();
    return { loss, cotangent };
  },
  peakBytes: (shape, batchSize) => 4 * bytesOf(shape, batchSize),
};

/** Mean squared error against `targets.images`, or against one-hot labels (output [batch, 1, 1, classes]). */
export function meanSquaredError(target: 'images' | 'labels'): LossFunction {
  return {
    name: 'meanSquaredError',
    classifies: target === 'labels',
    readsImages: target === 'images',
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
    peakBytes: (shape, batchSize) => (target === 'images' ? 3 : 4) * bytesOf(shape, batchSize),
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
