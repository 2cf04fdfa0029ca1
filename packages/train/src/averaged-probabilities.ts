import { evaluationMode, LocalgradError, requireOption } from '@localgrad/core';
import { forwardNetwork } from '@localgrad/engine';
import { bilinearUpsample } from '@localgrad/nn/blocks';
import * as tf from '@tensorflow/tfjs';
import type { NetworksBySize } from './networks-by-size.js';
import { nextTurn } from './run-setup.js';

/** How the predictions of a network for label maps are averaged. */
export interface Averaging {
  /** Factors of height and width at which the network sees each image; finite numbers > 0. */
  readonly scales: readonly number[];
  /** Whether it also sees each of them mirrored. */
  readonly flip: boolean;
}

/** @throws LocalgradError `invalid-option` */
export function checkAveraging(where: string, { scales, flip }: Averaging): void {
  const areScales =
    Array.isArray(scales) && scales.length > 0 && scales.every((scale) => Number.isFinite(scale) && scale > 0);
  requireOption(areScales, where, 'scales', scales, 'finite numbers > 0, at least one');
  requireOption(typeof flip === 'boolean', where, 'flip', flip, 'true, false');
}

/** Whether the average is of more than the prediction for the image itself. */
export function isAveraged({ scales, flip }: Averaging): boolean {
  return flip || scales.length > 1 || scales[0] !== 1;
}

/**
 * Class probabilities of every pixel, averaged over scales and, with `flip`, over mirror images. At each scale the image is
 * resized to the rounded size, the scores of the network are resized to the size of the image, and their softmax is added. All
 * resizing is bilinear with pixels as areas (PyTorch's `align_corners=False`), as `aug_test` of mmsegmentation. One scale is in
 * memory at a time.
 *
 * @param images normalized, [batch, height, width, channels]; borrowed
 * @returns [batch, height, width, classes]; owned by the caller
 */
export async function averagedProbabilities(
  networks: NetworksBySize,
  images: tf.Tensor4D,
  { scales, flip }: Averaging,
  signal?: AbortSignal,
): Promise<tf.Tensor4D> {
  let total: tf.Tensor4D | undefined;
  try {
    for (const scale of scales) {
      for (const isMirrored of flip ? [false, true] : [false]) {
        signal?.throwIfAborted();
        const before: tf.Tensor4D | undefined = total;
        total = tf.tidy(() => {
          const probabilities = probabilitiesAt(networks, images, scale, isMirrored);
          return before === undefined ? probabilities : tf.add<tf.Tensor4D>(before, probabilities);
        });
        before?.dispose();
        await nextTurn();
      }
    }
    if (total === undefined) throw new LocalgradError('misuse', 'There are no scales to average over.');
    return tf.div<tf.Tensor4D>(total, scales.length * (flip ? 2 : 1));
  } finally {
    total?.dispose();
  }
}

function probabilitiesAt(
  networks: NetworksBySize,
  images: tf.Tensor4D,
  scale: number,
  isMirrored: boolean,
): tf.Tensor4D {
  const [, height, width] = images.shape;
  const size = [scaled(height, scale), scaled(width, scale)] as const;
  const resized = resize(images, size);
  const seen = isMirrored ? mirrored(resized) : resized;
  const { network, head } = networks.forImages(seen);
  const scores = head.predict?.(forwardNetwork(network, seen)) as tf.Tensor4D;
  const probabilities: tf.Tensor4D = tf.softmax(resize(scores, [height, width]));
  return isMirrored ? mirrored(probabilities) : probabilities;
}

function scaled(extent: number, scale: number): number {
  return Math.max(1, Math.round(extent * scale));
}

function mirrored(maps: tf.Tensor4D): tf.Tensor4D {
  return tf.reverse(maps, [2]);
}

function resize(maps: tf.Tensor4D, size: readonly [height: number, width: number]): tf.Tensor4D {
  const [, height, width, channels] = maps.shape;
  if (height === size[0] && width === size[1]) return maps;
  const block = bilinearUpsample('resize', [height, width, channels], size, { alignCorners: false });
  return block.forward(maps, evaluationMode).output;
}
