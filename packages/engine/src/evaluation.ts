import { evaluationMode, LocalgradError, type Network } from '@localgrad/core';
import type * as tf from '@tensorflow/tfjs';

/**
 * Class scores of the plain backbone with its classifier in evaluation mode: auxiliary networks take no part.
 *
 * @param images normalised, [batch, ...imageShape]; borrowed
 * @returns [batch, classes]; owned by the caller
 */
export function predict(network: Network, images: tf.Tensor4D): tf.Tensor2D {
  const { classifier } = network.backbone;
  if (classifier.predict === undefined) {
    throw new LocalgradError('misuse', `The classifier of ${network.backbone.name} cannot predict.`);
  }
  let x = images;
  for (const { block } of network.backbone.blocks) {
    const pass = block.forward(x, evaluationMode);
    pass.release();
    if (x !== images) x.dispose();
    x = pass.output;
  }
  const scores = classifier.predict(x) as tf.Tensor2D;
  if (x !== images) x.dispose();
  return scores;
}
