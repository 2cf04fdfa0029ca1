import { type Block, evaluationMode, LocalgradError, type Network } from '@localgrad/core';
import type * as tf from '@tensorflow/tfjs';
import { checkImages } from './check-images.js';

/**
 * Output of the backbone's last block in evaluation mode. Auxiliary networks are not used.
 *
 * @param images normalized, [batch, ...imageShape]; borrowed
 * @returns owned by the caller
 */
export function forwardNetwork(network: Network, images: tf.Tensor4D): tf.Tensor4D {
  return forwardBlocks(
    network.backbone.blocks.map(({ block }) => block),
    images,
  );
}

/**
 * Output of the last of several blocks in evaluation mode.
 *
 * @param input borrowed
 * @returns owned by the caller; the input itself if there are no blocks
 * @throws LocalgradError `shape-mismatch` for an input of another shape, `misuse` unless it is float32
 */
export function forwardBlocks(blocks: readonly Block[], input: tf.Tensor4D): tf.Tensor4D {
  const [first] = blocks;
  if (first !== undefined) checkImages(input, first.inputShape, `A batch for block '${first.name}'`);
  let x = input;
  for (const block of blocks) {
    const pass = block.forward(x, evaluationMode);
    pass.release();
    if (x !== input) x.dispose();
    x = pass.output;
  }
  return x;
}

/**
 * Class scores of the plain backbone and its classifier in evaluation mode. Auxiliary networks are not used.
 *
 * @param images normalized, [batch, ...imageShape]; borrowed
 * @returns [batch, classes]; owned by the caller
 */
export function predict(network: Network, images: tf.Tensor4D): tf.Tensor2D {
  const { classifier } = network.backbone;
  if (classifier.predict === undefined) {
    throw new LocalgradError(
      'misuse',
      `The classifier of ${network.backbone.name}, head '${classifier.name}', has no method 'predict'.`,
      { head: classifier.name },
    );
  }
  const features = forwardNetwork(network, images);
  const scores = classifier.predict(features) as tf.Tensor2D;
  if (features !== images) features.dispose();
  return scores;
}
